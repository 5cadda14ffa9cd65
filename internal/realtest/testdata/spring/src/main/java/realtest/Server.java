package realtest;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenClaimsContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;

/**
 * An authorization server, for the tests of the sidecar. The secrets of its clients and the password of alice are in the
 * environment. It keeps everything in memory.
 */
@SpringBootApplication
public class Server {
  public static void main(String[] args) {
    SpringApplication.run(Server.class, args);
  }

  /** The server names the client of a token as its audience. Whom a token is for is told by a customizer, as here. */
  static final Map<String, String> AUDIENCES =
      Map.of("orders-app", "orders-api", "orders-jwt", "orders-api", "orders-web", "orders-api", "shipping-app", "shipping-api");

  static RegisteredClient.Builder client(String id, OAuth2TokenFormat format) {
    String secret = System.getenv(id.toUpperCase().replace('-', '_') + "_SECRET");
    return RegisteredClient.withId(id)
        .clientId(id)
        .clientSecret("{noop}" + secret)
        .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
        .scope("orders:read")
        .scope("orders:write")
        .tokenSettings(TokenSettings.builder().accessTokenFormat(format).accessTokenTimeToLive(Duration.ofMinutes(10)).build());
  }

  @Bean
  RegisteredClientRepository clients() {
    var service = AuthorizationGrantType.CLIENT_CREDENTIALS;
    var opaque = OAuth2TokenFormat.REFERENCE;
    return new InMemoryRegisteredClientRepository(
        client("orders-api", opaque).authorizationGrantType(service).build(),
        client("orders-app", opaque).authorizationGrantType(service).build(),
        client("orders-jwt", OAuth2TokenFormat.SELF_CONTAINED).authorizationGrantType(service).build(),
        client("shipping-app", opaque).authorizationGrantType(service).build(),
        client("orders-web", opaque)
            .authorizationGrantType(AuthorizationGrantType.AUTHORIZATION_CODE)
            .authorizationGrantType(AuthorizationGrantType.REFRESH_TOKEN)
            .redirectUri("http://127.0.0.1:9/callback")
            .scope("openid")
            .clientSettings(ClientSettings.builder().requireAuthorizationConsent(false).build())
            .build());
  }

  @Bean
  UserDetailsService users() {
    return new InMemoryUserDetailsManager(
        User.withUsername("alice").password("{noop}" + System.getenv("ALICE_PASSWORD")).roles("READER").build());
  }

  @Bean
  OAuth2TokenCustomizer<OAuth2TokenClaimsContext> opaqueClaims() {
    return c -> c.getClaims()
        .audience(List.of(AUDIENCES.get(c.getRegisteredClient().getClientId())))
        .claim("tenant", "acme")
        .claim("roles", List.of("order-reader"));
  }

  /** ID tokens come by here too, and stay as they are. */
  @Bean
  OAuth2TokenCustomizer<JwtEncodingContext> jwtClaims() {
    return c -> {
      if (OAuth2TokenType.ACCESS_TOKEN.equals(c.getTokenType())) {
        c.getClaims()
            .audience(List.of(AUDIENCES.get(c.getRegisteredClient().getClientId())))
            .claim("tenant", "acme")
            .claim("roles", List.of("order-reader"));
      }
    };
  }
}
