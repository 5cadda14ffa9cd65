import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.eclipse.jetty.ee11.servlet.FilterHolder;
import org.eclipse.jetty.ee11.servlet.ServletContextHandler;
import org.eclipse.jetty.ee11.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ajax.JSON;

/**
 * Echoes what the filter lets pass: {@code java Demo KIND}, KIND being tomcat or jetty. It asks the sidecar at SIDECAR_URL and
 * listens at PORT of loopback; 0, or none, takes a free one. Both servers are told to let ambiguous paths through, which
 * they refuse themselves by default.
 */
public class Demo extends HttpServlet {
    private static final long serialVersionUID = 1;
    private static final String CONTEXT_PATH = "/orders"; // one application is mounted there, one at the root

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (request.getDispatcherType() == DispatcherType.REQUEST) { // what is asynchronous must be guarded no less
            request.startAsync().dispatch();
            return;
        }
        Map<String, Object> headers = new TreeMap<>();
        for (String name : Collections.list(request.getHeaderNames())) {
            headers.put(name.toLowerCase(Locale.ROOT), Collections.list(request.getHeaders(name)));
        }
        String query = request.getQueryString();
        SidecarFilter.Decision decision = (SidecarFilter.Decision) request.getAttribute(SidecarFilter.DECISION);
        response.setContentType("application/json");
        String target = request.getRequestURI() + (query == null ? "" : "?" + query);
        response.getWriter().print(new JSON().toJSON(Map.of("target", target, "path", path(request), "headers", headers,
                "context", decision.context())));
    }

    private static String path(HttpServletRequest request) {
        String info = request.getPathInfo();
        return request.getContextPath() + request.getServletPath() + (info == null ? "" : info);
    }

    private static SidecarFilter filter() {
        String seconds = System.getenv().getOrDefault("SIDECAR_TIMEOUT", "3");
        return new SidecarFilter(System.getenv().getOrDefault("SIDECAR_URL", "http://127.0.0.1:8181"),
                Duration.ofMillis((long) (Double.parseDouble(seconds) * 1000)), Map.of());
    }

    private static int tomcat(int port) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("demo").toString());
        tomcat.setPort(port);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getConnector().setEncodedSolidusHandling("passthrough");
        tomcat.getConnector().setEncodedReverseSolidusHandling("passthrough");
        for (String path : new String[] {"", CONTEXT_PATH}) {
            Context context = tomcat.addContext(path, null);
            Wrapper demo = Tomcat.addServlet(context, "demo", new Demo());
            demo.addMapping("/*");
            demo.setAsyncSupported(true);
            FilterDef guard = new FilterDef();
            guard.setFilterName("sidecar");
            guard.setFilter(filter());
            guard.setAsyncSupported("true");
            context.addFilterDef(guard);
            FilterMap all = new FilterMap();
            all.setFilterName("sidecar");
            all.addURLPattern("/*");
            context.addFilterMap(all);
        }
        tomcat.start();
        return tomcat.getConnector().getLocalPort();
    }

    private static int jetty(int port) throws Exception {
        Server server = new Server();
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setUriCompliance(UriCompliance.UNSAFE);
        ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(configuration));
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        server.addConnector(connector);
        ServletContextHandler context = new ServletContextHandler("/");
        context.getServletHandler().setDecodeAmbiguousURIs(true);
        ServletHolder demo = new ServletHolder(new Demo());
        demo.setAsyncSupported(true);
        context.addServlet(demo, "/*");
        FilterHolder guard = new FilterHolder(filter());
        guard.setAsyncSupported(true);
        context.addFilter(guard, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
        server.setHandler(context);
        server.start();
        return connector.getLocalPort();
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "0"));
        System.out.println("listening on 127.0.0.1:" + (args[0].equals("jetty") ? jetty(port) : tomcat(port)));
        Thread.currentThread().join();
    }
}
