import com.sun.net.httpserver.HttpServer;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/** Two filters ask two questions: what one allows, the other refuses. Exits with a message when it does not. */
public class TwoFiltersTest {
    private static final String ANSWER = "{\"decision_id\":\"1\",\"reasons\":[],\"headers\":{},\"upstream_headers\":{},"
            + "\"context\":{},\"policy\":{\"path\":\"p\",\"revision\":\"r\",\"digest\":\"d\"},";

    public static void main(String[] args) throws Exception {
        HttpServer sidecar = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        sidecar.createContext("/v1/decisions", call -> {
            boolean other = call.getRequestURI().getPath().endsWith("/billing/decision");
            byte[] body = (ANSWER + (other ? "\"allow\":false,\"kind\":\"deny\",\"status\":403}"
                    : "\"allow\":true,\"kind\":\"allow\",\"status\":200}")).getBytes(StandardCharsets.UTF_8);
            call.getRequestBody().readAllBytes();
            call.sendResponseHeaders(200, body.length);
            call.getResponseBody().write(body);
            call.close();
        });
        sidecar.start();
        String url = "http://127.0.0.1:" + sidecar.getAddress().getPort();
        SidecarFilter first = new SidecarFilter(url, Duration.ofSeconds(30), Map.of());
        SidecarFilter second = new SidecarFilter(url + "/v1/decisions/billing/decision", Duration.ofSeconds(30), Map.of());
        int[] seen = new int[2]; // status, and calls of the application
        first.doFilter(request(), response(seen), (req, res) -> second.doFilter(req, res, (a, b) -> seen[1]++));
        sidecar.stop(0);
        if (seen[0] != 403 || seen[1] != 0) {
            throw new AssertionError("want 403 of the second filter, got " + seen[0] + ", and the application was called "
                    + seen[1] + " times");
        }
    }

    private static HttpServletRequest request() {
        Map<Object, Object> attributes = new HashMap<>();
        return stub(HttpServletRequest.class, (name, args) -> switch (name) {
            case "getAttribute" -> attributes.get(args[0]);
            case "setAttribute" -> attributes.put(args[0], args[1]);
            case "getHeaderNames", "getHeaders" -> Collections.emptyEnumeration();
            case "getRequestURI" -> "/orders/42";
            case "getMethod" -> "GET";
            case "getRemoteAddr" -> "192.0.2.1";
            default -> null;
        });
    }

    private static HttpServletResponse response(int[] seen) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        return stub(HttpServletResponse.class, (name, args) -> {
            if (name.equals("setStatus")) {
                seen[0] = (Integer) args[0];
            }
            return name.equals("getOutputStream") ? new jakarta.servlet.ServletOutputStream() {
                @Override
                public boolean isReady() {
                    return true;
                }

                @Override
                public void setWriteListener(jakarta.servlet.WriteListener listener) {}

                @Override
                public void write(int octet) {
                    body.write(octet);
                }
            } : null;
        });
    }

    private interface Answers {
        Object to(String name, Object[] args);
    }

    private static <T> T stub(Class<T> type, Answers answers) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                (self, method, args) -> answers.to(method.getName(), args)));
    }
}
