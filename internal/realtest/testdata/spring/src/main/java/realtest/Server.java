package realtest;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.catalina.connector.Connector;
import org.apache.commons.logging.LogFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.pem.PemSslStoreBundle;
import org.springframework.boot.ssl.pem.PemSslStoreDetails;
import org.springframework.boot.tomcat.SslConnectorCustomizer;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.Ssl;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.MacAlgorithm;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenClaimsContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;

/**
 * An authorization server, for the tests of the sidecar. ISSUER, the secrets of its clients, the password of alice, and what
 * its second listener needs are in the environment. It keeps everything in memory.
 */
@SpringBootApplication
public class Server {
  public static void main(String[] args) {
    SpringApplication.run(Server.class, args);
  }

  /** The server names the client of a token as its audience. Whom a token is for is told by a customizer, as here. */
  static final Map<String, String> AUDIENCES =
      Map.of(
          "orders-app", "orders-api", "orders-jwt", "orders-api", "orders-web", "orders-api", "orders-bound", "orders-api",
          "shipping-app", "shipping-api");

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
        // These only introspect, each in its own way. AUTH_JWKS is where the keys of the last one are.
        client("orders-api", opaque)
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_POST)
            .clientAuthenticationMethod(ClientAuthenticationMethod.TLS_CLIENT_AUTH)
            .clientSettings(ClientSettings.builder().x509CertificateSubjectDN("CN=orders-api").build())
            .authorizationGrantType(service)
            .build(),
        client("orders-secret-jwt", opaque)
            .clientSecret(System.getenv("ORDERS_SECRET_JWT_SECRET")) // it is the key of the HMAC as it stands here
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_JWT)
            .clientSettings(ClientSettings.builder().tokenEndpointAuthenticationSigningAlgorithm(MacAlgorithm.HS256).build())
            .authorizationGrantType(service)
            .build(),
        client("orders-key-jwt", opaque)
            .clientAuthenticationMethod(ClientAuthenticationMethod.PRIVATE_KEY_JWT)
            .clientSettings(
                ClientSettings.builder()
                    .tokenEndpointAuthenticationSigningAlgorithm(SignatureAlgorithm.ES256)
                    .jwkSetUrl(System.getenv("AUTH_JWKS"))
                    .build())
            .authorizationGrantType(service)
            .build(),
        client("orders-app", opaque).authorizationGrantType(service).build(),
        client("orders-jwt", OAuth2TokenFormat.SELF_CONTAINED).authorizationGrantType(service).build(),
        client("shipping-app", opaque).authorizationGrantType(service).build(),
        // Only who authenticates by a certificate gets a token that is bound to it.
        RegisteredClient.withId("orders-bound")
            .clientId("orders-bound")
            .clientAuthenticationMethod(ClientAuthenticationMethod.TLS_CLIENT_AUTH)
            .clientSettings(ClientSettings.builder().x509CertificateSubjectDN("CN=orders-bound").build())
            .authorizationGrantType(service)
            .scope("orders:read")
            .tokenSettings(
                TokenSettings.builder()
                    .accessTokenFormat(opaque)
                    .accessTokenTimeToLive(Duration.ofMinutes(10))
                    .x509CertificateBoundAccessTokens(true)
                    .build())
            .build(),
        client("orders-web", opaque)
            .authorizationGrantType(AuthorizationGrantType.AUTHORIZATION_CODE)
            .authorizationGrantType(AuthorizationGrantType.REFRESH_TOKEN)
            .redirectUri("http://127.0.0.1:9/callback")
            .scope("openid")
            .clientSettings(ClientSettings.builder().requireAuthorizationConsent(false).build())
            .build());
  }

  /** One issuer, whichever listener is asked. */
  @Bean
  AuthorizationServerSettings settings() {
    return AuthorizationServerSettings.builder().issuer(System.getenv("ISSUER")).build();
  }

  /** A second listener, at SECURE_PORT, where clients may show a certificate. */
  @Bean
  WebServerFactoryCustomizer<TomcatServletWebServerFactory> secure() {
    return factory -> {
      var connector = new Connector();
      connector.setPort(Integer.parseInt(System.getenv("SECURE_PORT")));
      connector.setProperty("address", "127.0.0.1");
      var certificate = PemSslStoreDetails.forCertificate(System.getenv("TLS_CERT")).withPrivateKey(System.getenv("TLS_KEY"));
      var authority = PemSslStoreDetails.forCertificate(System.getenv("TLS_CA"));
      new SslConnectorCustomizer(LogFactory.getLog(Server.class), connector, Ssl.ClientAuth.WANT)
          .customize(SslBundle.of(new PemSslStoreBundle(certificate, authority)), Map.of());
      factory.addAdditionalConnectors(connector);
    };
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
