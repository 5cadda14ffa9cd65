import jakarta.servlet.AsyncContext; // Servlet 4 and older: javax.servlet in place of jakarta.servlet, here and below
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks a sidecar about every request of a servlet application, and lets pass what it allows.
 *
 * <p>Copy this file into your project, under a package of yours. It needs Java 17, Servlet 5 and nothing else. Map it to /*,
 * before all other filters, with async supported:
 *
 * <pre>new SidecarFilter("http://127.0.0.1:8181", Duration.ofSeconds(3), Map.of())</pre>
 *
 * <p>Whatever goes wrong refuses: 503 while there is no decision, 500 when the call itself is wrong (the log says how). The
 * attribute {@link #DECISION} of an allowed request is the decision.
 */
public class SidecarFilter implements Filter {
    public static final String DECISION = "sidecar.decision";

    private static final System.Logger LOG = System.getLogger("sidecar");
    private static final int LARGEST = 1 << 20; // bytes of an answer
    private static final Pattern NAME = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+"); // RFC 9110 section 5.6.2
    private static final Pattern VALUE = Pattern.compile("[^\\x00-\\x08\\x0a-\\x1f\\x7f]*+");

    /** Honours an obligation before the application is called, and throws when it cannot. */
    public interface Obligation {
        void honour(Map<?, ?> obligation, HttpServletRequest request) throws Exception;
    }

    /**
     * What the sidecar answered; docs/api.md tells each member. {@code headers} are for the answer to the client, {@code
     * upstreamHeaders} for the application, in place of what the client sent under these names.
     */
    public record Decision(String id, boolean allow, String kind, int status, List<?> reasons,
            Map<String, List<String>> headers, Map<String, List<String>> upstreamHeaders, Map<?, ?> context) {}

    /** Why a request does not reach the application. */
    private static final class Refusal extends Exception {
        private static final long serialVersionUID = 1;
        final int status;
        final transient Map<String, List<String>> headers;
        final transient Decision decision;

        Refusal(int status, Map<String, List<String>> headers, Decision decision) {
            this.status = status;
            this.headers = headers;
            this.decision = decision;
        }
    }

    private final String own = DECISION + "." + UUID.randomUUID(); // another filter asks another question
    private final URI decisions;
    private final Duration timeout;
    private final Map<String, Obligation> obligations;
    private final HttpClient client;

    /**
     * @param url of the sidecar's api listener, http://HOST:PORT or https://HOST:PORT; with /v1/decisions/PATH another rule
     *     of the policy than the default one
     * @param timeout for a whole call, from the connection to the last byte
     * @param obligations what policies may oblige the application to, by type. An obligation without a handler refuses what
     *     the policy allowed
     */
    public SidecarFilter(String url, Duration timeout, Map<String, Obligation> obligations) {
        Matcher parts = Pattern.compile("(https?://[^/?#@\\s]+)(/?|/v1/decisions(/[^?#\\s]+)?)").matcher(url);
        if (!parts.matches()) {
            throw new IllegalArgumentException("sidecar url " + url + ": want http://HOST:PORT or https://HOST:PORT");
        }
        this.decisions = URI.create(parts.group(2).length() > 1 ? url : parts.group(1) + "/v1/decisions");
        this.timeout = timeout;
        this.obligations = Map.copyOf(obligations);
        // HTTP/1.1: an offer to upgrade would be part of each call. No proxy: the environment must not redirect calls.
        this.client = client().version(HttpClient.Version.HTTP_1_1).proxy(HttpClient.Builder.NO_PROXY)
                .followRedirects(HttpClient.Redirect.NEVER).connectTimeout(timeout).build();
    }

    /** For a private CA or a client certificate: override, and set its SSLContext. */
    protected HttpClient.Builder client() {
        return HttpClient.newBuilder();
    }

    /** For a caller key, where the listener wants one: override, and add the header Authorization: Bearer KEY. */
    protected void prepare(HttpRequest.Builder call) {}

    /** Override to add to the call: context, token, or in its request client_certificate, source_ip. */
    protected void question(Map<String, Object> call, Map<String, Object> request, HttpServletRequest source) {}

    @Override
    public void doFilter(ServletRequest req, ServletResponse res, FilterChain chain) throws IOException, ServletException {
        HttpServletRequest request = (HttpServletRequest) req;
        HttpServletResponse response = (HttpServletResponse) res;
        Decision decision = (Decision) request.getAttribute(own);
        if (decision == null) { // else a dispatch of the application to itself, which may be of the request as it came
            try {
                decision = honoured(decide(call(request)), request);
                request.setAttribute(own, decision);
                request.setAttribute(DECISION, decision);
                response = new Answer(response, decision.headers);
            } catch (Refusal refusal) {
                refuse(response, refusal);
                return;
            }
        }
        chain.doFilter(new Allowed(request, response, decision.upstreamHeaders), response);
    }

    private Map<String, Object> call(HttpServletRequest source) throws Refusal {
        Map<String, List<String>> headers = new LinkedHashMap<>();
        for (String name : Collections.list(source.getHeaderNames())) {
            headers.computeIfAbsent(name.toLowerCase(Locale.ROOT), n -> new ArrayList<>());
        }
        headers.forEach((name, values) -> source.getHeaders(name).asIterator().forEachRemaining(v -> values.add(text(v))));
        // As it arrived: getServletPath and getPathInfo are decoded, and of a mounted application they are a part. Filters
        // before this one may have changed it by a header of the client, as ForwardedHeaderFilter of Spring does.
        HttpServletRequest arrived = source;
        while (arrived instanceof HttpServletRequestWrapper wrapper) {
            arrived = (HttpServletRequest) wrapper.getRequest();
        }
        String target = arrived.getRequestURI();
        if (target == null || target.isEmpty()) {
            throw fault("the server gives no request URI", null);
        }
        target += arrived.getQueryString() == null ? "" : "?" + arrived.getQueryString();
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("method", source.getMethod());
        request.put("url", ascii(target));
        request.put("headers", headers);
        request.put("source_ip", source.getRemoteAddr());
        Map<String, Object> call = new LinkedHashMap<>(Map.of("request", request));
        question(call, request, source);
        return call;
    }

    private Decision decide(Map<String, Object> call) throws Refusal {
        HttpRequest.Builder builder = HttpRequest.newBuilder(decisions).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(Json.write(call)));
        prepare(builder);
        HttpResponse<byte[]> answer;
        try {
            answer = send(builder.build(), System.nanoTime() + timeout.toNanos(), true);
        } catch (IOException | TimeoutException e) {
            throw unavailable(e.toString(), "1");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable("interrupted", "1");
        }
        int status = answer.statusCode();
        if (status >= 400 && status < 500 && status != 429) {
            throw fault("the sidecar refuses the call with " + status + ": " + callError(answer.body()), null);
        }
        if (status != 200) {
            String after = answer.headers().firstValue("Retry-After").orElse("1");
            throw unavailable("status " + status, VALUE.matcher(after).matches() ? after : "1");
        }
        try {
            return decision(Json.read(answer.body()));
        } catch (IOException | ClassCastException e) {
            throw unavailable("the answer is no decision", "1");
        }
    }

    /** Calls once more when the connection ended before an answer began: it may have been closed while it was idle. */
    private HttpResponse<byte[]> send(HttpRequest request, long deadline, boolean again)
            throws IOException, InterruptedException, TimeoutException {
        Body body = new Body();
        CompletableFuture<HttpResponse<byte[]>> answer = client.sendAsync(request, info -> body.begin());
        try {
            return answer.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            if (again && !body.begun && !(e.getCause() instanceof ConnectException)) {
                return send(request, deadline, false);
            }
            throw new IOException(e.getCause());
        } finally {
            answer.cancel(true);
        }
    }

    /** Calls the handlers of all obligations, also when one fails. */
    private Decision honoured(Decision decision, HttpServletRequest request) throws Refusal {
        List<String> failed = new ArrayList<>();
        Object due = decision.context.get("obligations");
        for (Object obligation : due == null ? List.of() : (List<?>) due) {
            Object type = ((Map<?, ?>) obligation).get("type");
            try {
                Obligation handler = type instanceof String name ? obligations.get(name) : null;
                if (handler == null) {
                    throw new IllegalStateException("no handler is registered for its type");
                }
                handler.honour((Map<?, ?>) obligation, request);
            } catch (Exception e) {
                failed.add("obligation " + Json.write(type) + " is not honoured: " + e);
            }
        }
        Refusal fault = failed.isEmpty() ? null
                : fault("decision " + Json.write(decision.id) + ": " + String.join("; ", failed), decision);
        if (!decision.allow) {
            throw new Refusal(decision.status, decision.headers, decision);
        }
        if (fault != null) {
            throw fault;
        }
        return decision;
    }

    private static Refusal unavailable(String cause, String retryAfter) {
        LOG.log(System.Logger.Level.ERROR, "no decision: {0}", Json.write(cause)); // in part what something else answered
        return new Refusal(503, Map.of("Retry-After", List.of(retryAfter)), null);
    }

    /** Something that operators must change: the log says what, the client learns nothing. */
    private static Refusal fault(String cause, Decision decision) {
        LOG.log(System.Logger.Level.ERROR, "{0}", cause);
        return new Refusal(500, Map.of(), decision);
    }

    /** Answers with a problem of RFC 9457. */
    private static void refuse(HttpServletResponse response, Refusal refusal) throws IOException {
        Map<String, Object> problem = new LinkedHashMap<>(Map.of("status", refusal.status));
        if (refusal.decision != null) {
            problem.put("decision_id", refusal.decision.id);
            List<Map<String, Object>> reasons = new ArrayList<>();
            for (Object reason : refusal.decision.reasons) { // other members are for the application
                reasons.add(new TreeMap<>(Map.of("code", ((Map<?, ?>) reason).get("code"))));
                Object message = ((Map<?, ?>) reason).get("message");
                reasons.get(reasons.size() - 1).computeIfAbsent("message", name -> message);
            }
            problem.put("reasons", reasons);
        }
        response.setStatus(refusal.status);
        refusal.headers.forEach((name, values) -> values.forEach(value -> response.addHeader(name, octets(value))));
        response.setHeader("Cache-Control", "no-store");
        response.setContentType("application/problem+json");
        response.getOutputStream().write(Json.write(problem).getBytes(StandardCharsets.US_ASCII));
    }

    /** Every member must be there with its type, and fit the others. More members are those of a newer sidecar. */
    private static Decision decision(Object answer) throws IOException {
        Map<?, ?> members = object(answer);
        Object allow = members.get("allow");
        Object status = members.get("status");
        String kind = string(members.get("kind"));
        boolean allowed = Boolean.TRUE.equals(allow) && kind.equals("allow") && Long.valueOf(200).equals(status);
        boolean refused = Boolean.FALSE.equals(allow) && !kind.equals("allow") && status instanceof Long s
                && s >= 400 && s <= 599;
        if (!allowed && !refused) {
            throw new IOException("allow, kind and status do not fit");
        }
        List<?> reasons = list(members.get("reasons"));
        for (Object reason : reasons) {
            string(object(reason).get("code"));
            if (object(reason).containsKey("message")) {
                string(object(reason).get("message"));
            }
        }
        Map<?, ?> context = object(members.get("context"));
        if (context.containsKey("obligations")) {
            for (Object obligation : list(context.get("obligations"))) {
                object(obligation);
            }
        }
        for (String member : List.of("path", "revision", "digest")) {
            string(object(members.get("policy")).get(member));
        }
        return new Decision(string(members.get("decision_id")), allowed, kind, ((Long) status).intValue(), reasons,
                headers(members.get("headers")), headers(members.get("upstream_headers")), context);
    }

    private static Map<String, List<String>> headers(Object value) throws IOException {
        Map<String, List<String>> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (Map.Entry<?, ?> header : object(value).entrySet()) {
            String name = string(header.getKey());
            List<String> values = headers.computeIfAbsent(name, n -> new ArrayList<>());
            for (Object v : list(header.getValue())) {
                values.add(string(v));
            }
            if (!NAME.matcher(name).matches() || !values.stream().allMatch(v -> VALUE.matcher(v).matches())) {
                throw new IOException("a header is none");
            }
        }
        return headers;
    }

    private static Map<?, ?> object(Object value) throws IOException {
        return (Map<?, ?>) there(value);
    }

    private static List<?> list(Object value) throws IOException {
        return (List<?>) there(value);
    }

    private static String string(Object value) throws IOException {
        return (String) there(value);
    }

    private static Object there(Object value) throws IOException {
        if (value == null) {
            throw new IOException("a member is missing or null");
        }
        return value;
    }

    /** Code, message and pointer of a call error, safe to log. */
    private static String callError(byte[] body) {
        try {
            Map<?, ?> error = object(object(Json.read(body)).get("error"));
            return Json.write(error.get("code")) + " " + Json.write(error.get("message")) + " "
                    + Json.write(error.get("pointer"));
        } catch (IOException | ClassCastException e) {
            return "the body is no call error; is this the sidecar's api listener?";
        }
    }

    /** The value of a header, whose octets servers hand out as characters: UTF-8, or else ISO 8859-1. */
    private static String text(String octets) {
        try {
            boolean wide = octets.chars().anyMatch(c -> c > 0xff); // the server has decoded it
            byte[] bytes = octets.getBytes(StandardCharsets.ISO_8859_1);
            return wide ? octets : StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            return octets;
        }
    }

    private static String octets(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    /** Octets beyond ASCII, which no URL has, are percent-encoded so that none is lost in JSON. */
    private static String ascii(String target) {
        StringBuilder out = new StringBuilder();
        for (byte octet : target.getBytes(target.chars().anyMatch(c -> c > 0xff)
                ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1)) {
            out.append(octet >= 0 ? String.valueOf((char) octet) : String.format("%%%02X", octet));
        }
        return out.toString();
    }

    /** Names that frameworks may take for one fold to one text. */
    private static String folded(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^0-9a-z]", "-");
    }

    /** The request as the application may have it. */
    private static final class Allowed extends HttpServletRequestWrapper {
        private final Map<String, List<String>> given = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        private final Set<String> replaced = new HashSet<>();
        private final ServletResponse response;

        Allowed(HttpServletRequest request, ServletResponse response, Map<String, List<String>> upstream) {
            super(request);
            this.response = response;
            upstream.forEach((name, values) -> {
                replaced.add(folded(name));
                given.put(name, values.stream().map(SidecarFilter::octets).toList());
            });
        }

        @Override
        public Enumeration<String> getHeaders(String name) {
            return replaced.contains(folded(name)) ? Collections.enumeration(given.getOrDefault(name, List.of()))
                    : super.getHeaders(name);
        }

        @Override
        public String getHeader(String name) {
            Enumeration<String> values = getHeaders(name);
            return values.hasMoreElements() ? values.nextElement() : null;
        }

        @Override
        public Enumeration<String> getHeaderNames() {
            List<String> names = Collections.list(super.getHeaderNames());
            names.removeIf(name -> replaced.contains(folded(name)));
            given.forEach((name, values) -> names.addAll(values.isEmpty() ? List.of() : List.of(name)));
            return Collections.enumeration(names);
        }

        @Override
        public AsyncContext startAsync() { // of the request as it came, it would dispatch the client's headers
            return super.startAsync(this, response);
        }

        @Override
        public String getContentType() {
            return getHeader("Content-Type");
        }

        @Override
        public Cookie[] getCookies() { // a policy can take all away, and name others by the header alone
            return replaced.contains("cookie") ? null : super.getCookies();
        }

        @Override
        public int getIntHeader(String name) {
            String value = getHeader(name);
            return value == null ? -1 : Integer.parseInt(value);
        }

        @Override
        public long getDateHeader(String name) {
            if (replaced.contains(folded(name)) && getHeader(name) != null) {
                throw new IllegalArgumentException(name + " is from the sidecar, and no date");
            }
            return replaced.contains(folded(name)) ? -1 : super.getDateHeader(name);
        }
    }

    /** The answer with the headers of the decision, which those of the application do not replace. */
    private static final class Answer extends HttpServletResponseWrapper {
        private final Map<String, List<String>> headers;

        Answer(HttpServletResponse response, Map<String, List<String>> headers) {
            super(response);
            this.headers = headers;
            headers.keySet().forEach(this::add);
        }

        private void add(String name) {
            headers.getOrDefault(name, List.of()).forEach(value -> super.addHeader(name, octets(value)));
        }

        @Override
        public void setHeader(String name, String value) {
            super.setHeader(name, value);
            add(name);
        }

        @Override
        public void reset() {
            super.reset();
            headers.keySet().forEach(this::add);
        }
    }

    /** Collects an answer, up to the largest. */
    private static final class Body implements HttpResponse.BodySubscriber<byte[]> {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final CompletableFuture<byte[]> whole = new CompletableFuture<>();
        private Flow.Subscription subscription;
        private volatile boolean begun;

        Body begin() {
            begun = true;
            return this;
        }

        @Override
        public CompletionStage<byte[]> getBody() {
            return whole;
        }

        @Override
        public void onSubscribe(Flow.Subscription s) {
            subscription = s;
            s.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(List<ByteBuffer> parts) {
            for (ByteBuffer part : parts) {
                byte[] next = new byte[Math.min(part.remaining(), LARGEST + 1 - bytes.size())];
                part.get(next);
                bytes.writeBytes(next);
            }
            if (bytes.size() > LARGEST) {
                subscription.cancel();
                whole.completeExceptionally(new IOException("the answer is over " + LARGEST + " bytes"));
            }
        }

        @Override
        public void onError(Throwable cause) {
            whole.completeExceptionally(cause);
        }

        @Override
        public void onComplete() {
            whole.complete(bytes.toByteArray());
        }
    }

    /** JSON as maps, lists, strings, booleans, Long and Double. Strict: what is no JSON, or has a member twice, fails. */
    private static final class Json {
        private static final Pattern LITERAL = Pattern.compile(
                "true|false|null|-?(?:0|[1-9][0-9]{0,400})(?:\\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,9})?");
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Object read(byte[] utf8) throws IOException {
            Json json = new Json(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString());
            Object value = json.value(0);
            json.need(json.peek() == 0 && json.at == json.text.length());
            return value;
        }

        private Object value(int depth) throws IOException {
            need(depth < 100);
            switch (peek()) {
                case '{':
                    Map<String, Object> object = new LinkedHashMap<>();
                    for (boolean more = open('}'); more; more = next('}')) {
                        need(peek() == '"');
                        String name = string();
                        need(peek() == ':' && !object.containsKey(name));
                        at++;
                        object.put(name, value(depth + 1));
                    }
                    return object;
                case '[':
                    List<Object> list = new ArrayList<>();
                    for (boolean more = open(']'); more; more = next(']')) {
                        list.add(value(depth + 1));
                    }
                    return list;
                case '"':
                    return string();
                default:
                    return literal();
            }
        }

        /** The next character that is not blank, or 0 at the end. */
        private char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            return at < text.length() ? text.charAt(at) : 0;
        }

        private boolean open(char close) {
            at++;
            boolean empty = peek() == close;
            at += empty ? 1 : 0;
            return !empty;
        }

        private boolean next(char close) throws IOException {
            char c = peek();
            need(c == ',' || c == close);
            at++;
            return c == ',';
        }

        private String string() throws IOException {
            StringBuilder out = new StringBuilder();
            for (at++;; at++) {
                need(at < text.length() && text.charAt(at) >= ' ');
                char c = text.charAt(at);
                if (c == '"') {
                    at++;
                    return out.toString();
                }
                if (c == '\\') {
                    int escape = "\"\\/bfnrtu".indexOf(++at < text.length() ? text.charAt(at) : 0);
                    need(escape >= 0);
                    c = escape < 8 ? "\"\\/\b\f\n\r\t".charAt(escape) : unicode();
                }
                out.append(c);
            }
        }

        private char unicode() throws IOException {
            need(at + 4 < text.length() && text.substring(at + 1, at + 5).matches("[0-9a-fA-F]{4}"));
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
        }

        private Object literal() throws IOException {
            Matcher literal = LITERAL.matcher(text).region(at, text.length());
            need(literal.lookingAt());
            at = literal.end();
            String found = literal.group();
            switch (found.charAt(0)) {
                case 't', 'f': return found.equals("true");
                case 'n': return null;
                default: return found.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(found) : Double.valueOf(found);
            }
        }

        private void need(boolean held) throws IOException {
            if (!held) {
                throw new IOException("no JSON at character " + at);
            }
        }

        static String write(Object value) {
            if (value == null || value instanceof Number || value instanceof Boolean) {
                return String.valueOf(value);
            }
            List<String> parts = new ArrayList<>();
            if (value instanceof Map<?, ?> map) {
                map.forEach((name, member) -> parts.add(write(String.valueOf(name)) + ":" + write(member)));
                return "{" + String.join(",", parts) + "}";
            }
            if (value instanceof Collection<?> list) {
                list.forEach(item -> parts.add(write(item)));
                return "[" + String.join(",", parts) + "]";
            }
            StringBuilder out = new StringBuilder("\"");
            for (char c : value.toString().toCharArray()) {
                boolean plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
                out.append(plain ? String.valueOf(c) : String.format("\\u%04x", (int) c));
            }
            return out.append('"').toString();
        }
    }
}
