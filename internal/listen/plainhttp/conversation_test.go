package plainhttp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// oddities are what a request may have instead of what is usual.
var oddities = struct{ methods, targets, versions, hosts, lengths, fields, ends []string }{
	methods: []string{"GET", "GET", "HEAD", "PUT", "post", "OPTIONS", "CONNECT", "PRI", "POST ", "POST\t"},
	targets: append(append([]string{"/%zz", "/a%2Fb?q=1;2", "//x", "*", "http://other/x", "http://localhost:8181/v1",
		"HTTP://LOCALHOST", "localhost:8181", "https://u@h/", "/\x80", "/a b", "", "/?", "/#f", "/\x00", "/a\r/b",
		"/" + strings.Repeat("long", 1500), "/" + strings.Repeat("long", 4000)}, ways...), ways...),
	versions: []string{"HTTP/1.0", "HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/1.10", "", " HTTP/1.1",
		"HTTP/0.9", "HTTP/1.2", "HTTP/1.1\t", "HTTP/1.1\x00"},
	hosts: []string{"host:", "HOST: a", "Host : a", "Hos: a", "Host:", "Host: a b", "Host: a,b", "Host: [::1]:80",
		"Host: é", "Host: a\x00", "Host: u@h", "Host: localhost:8181\r\nHost: localhost:8181", "Host: a\r\n b",
		"Host\x00: a", "Host: a\nX: b", "Host:a", "Host: \ta\t", "Host: a/b", "Host: a%20b", "\tHost: a"},
	lengths: []string{"", "+5", "05", "-1", "1e1", "0x5", "99999999999999999999", "5, 5", " 14", "14 ", "14\t", "٥",
		"0", "00", "5\r\n 5", "5\r\nContent-Length: 5", "5\r\nContent-Length: 6",
		"5\r\nTransfer-Encoding: chunked", "4294967301", "9223372036854775807", "5;", "5\x00", "5\n"},
	fields: []string{"Connection: keep-alive", "Connection: close", "Connection: x", "Transfer-Encoding: chunked",
		"Transfer-Encoding: identity", "transfer-encoding : chunked", "Expect: 100-continue", "Upgrade: websocket",
		"Trailer: X", "TE: trailers", "Host: other", "Content-Length: 3", " folded", "\tfolded", "X-Bad\x01: a",
		"X-Value: a\x01", "X-Value: \xff", "X-Value: a\tb", ": empty", "noColon", "X Space: a", "Cookie: a=b",
		"Pragma: no-cache", "Authorization: Bearer k", "authorization: Bearer k", "X-Empty:", "X-Cr: a\rb",
		"X-Lf: a\nb", "X-Long: " + strings.Repeat("y", 2500),
		"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", "Content_Length: 5", "Transfer-Encoding: gzip, chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:\tchunked",
		"Transfer-Encoding:", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: Chunked",
		"Transfer_Encoding: chunked", "Expect: 100-Continue",
		"Expect: other", "Expect:", "Expect: 100-continue\r\nExpect: 100-continue", "Connection: keep-alive, close",
		"Connection: close, keep-alive", "Connection: Keep-Alive\r\nConnection: close", "Connection:", "Keep-Alive: 5",
		"Connection: keep-alive\r\nConnection: keep-alive", "Proxy-Connection: close", "Connection: Upgrade\r\n" +
			"Upgrade: h2c", "Trailer: Content-Length", "Trailer: Host\r\nTransfer-Encoding: chunked", "TE: chunked",
		"X-\xc3\xa9: a", "X-Nul: \x00", "X\x00: a", "X-Del: \x7f", "X: a\r\n\tfolded", "X:a\r\n \r\n", "X-Tab\t: a",
		strings.Repeat("N", 3000) + ": a", strings.Repeat("X-Many: a\r\n", 500) + "X: b", many(600), many(2000),
		"X-Long: " + strings.Repeat("z", 9000), "X-Long: " + strings.Repeat("z", 70_000)},
	ends: []string{"\n", "\r", "\r\r\n"},
}

// many are so many fields of different names.
func many(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("X%d:", i)
	}
	return strings.Join(names, "\r\n")
}

// bodies are those of chunked calls, whole and at fault.
var bodies = []string{"5\r\nhello\r\n0\r\n\r\n", "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
	"5\r\nhello\r\n0\r\nX: a\r\n\r\n", "5\r\nhello\r\n0\r\nHost: b\r\nContent-Length: 3\r\n\r\n", "5\nhello\n0\n\n",
	"05\r\nhello\r\n00\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
	"-5\r\nhello\r\n0\r\n\r\n", "5;\n\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff0\r\nhello\r\n0\r\n\r\n",
	"5\r\nhello\r\n0\r\n bad\r\n\r\n", "0\r\n\r\n", "\r\n", "G\r\nhello\r\n0\r\n\r\n",
	"2000\r\n" + strings.Repeat("h", 8192) + "\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n" + many(300) + "\r\n\r\n"}

// chunked is a call whose length its body says.
func chunked(r *rand.Rand) string {
	fields := []string{"", "", "", "Trailer: X\r\n", "Content-Length: 5\r\n", "Expect: 100-continue\r\n",
		"TE: trailers\r\n"}
	return "POST " + ways[r.IntN(len(ways))] + " HTTP/1.1\r\nHost: localhost\r\n" + fields[r.IntN(len(fields))] +
		"Transfer-Encoding: chunked\r\n\r\n" + bodies[r.IntN(len(bodies))]
}

// request is a request of random parts, most of which are those of a plain one.
func request(r *rand.Rand) string {
	pick := func(usual string, others []string) string {
		if r.IntN(6) > 0 {
			return usual
		}
		return others[r.IntN(len(others))]
	}
	body := strings.Repeat("x", []int{0, 4, 9, 10, 99, 100, 3000, 9000}[r.IntN(8)])
	length := pick(fmt.Sprint(len(body)), oddities.lengths)
	lines := []string{
		pick("POST", oddities.methods) + " " + pick("/v1/decisions", oddities.targets) + " " +
			pick("HTTP/1.1", oddities.versions),
		pick("Host: localhost:8181", oddities.hosts), "Content-Type: application/json",
	}
	if body != "" || r.IntN(3) == 0 {
		lines = append(lines, pick("Content-Length", []string{"content-length", "Content-Length "})+": "+length)
	}
	for range r.IntN(3) {
		lines = append(lines, pick("X-Case: "+fmt.Sprint(r.IntN(3)), oddities.fields))
	}
	if r.IntN(4) == 0 {
		r.Shuffle(len(lines)-1, func(i, j int) { lines[i+1], lines[j+1] = lines[j+1], lines[i+1] })
	}
	end := "\r\n"
	if r.IntN(4) == 0 {
		end = pick(end, oddities.ends)
	}
	return strings.Join(lines, end) + end + end +
		pick(body, []string{body + "\r\n", body + last, "5\r\nhello\r\n0\r\n\r\n", body[:len(body)/2]})
}

// last ends a conversation: net/http does not answer less than four bytes before the end.
const last = "GET /close HTTP/1.1\r\nHost: localhost\r\n\r\n"

// conversation is what one client sends.
func conversation(r *rand.Rand) [][]byte {
	var all []byte
	plain := "POST " + ways[r.IntN(len(ways))] + " HTTP/1.1\r\n" +
		"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: "
	for range 1 + r.IntN(5) {
		if r.IntN(2) == 0 {
			body := strings.Repeat("z", []int{r.IntN(120), r.IntN(120), 0, 999, 1000, 9999}[r.IntN(6)])
			lead := []string{"", "0", "00", " ", "+"}[max(0, r.IntN(40)-35)]
			ends := strings.Repeat("\r\n", max(0, r.IntN(24)-20))
			all = append(all, plain+lead+fmt.Sprint(len(body))+"\r\n\r\n"+body+ends...)
			continue
		}
		if r.IntN(8) == 0 {
			all = append(all, chunked(r)...)
			continue
		}
		all = append(all, request(r)...)
	}
	all = append(all, last...)
	if len(all) < 600 && r.IntN(40) == 0 {
		return slices.Collect(slices.Chunk(all, 1))
	}
	return cut(all, r, r.IntN(4))
}

// cut cuts a text at so many places at most.
func cut(all []byte, r *rand.Rand, places int) [][]byte {
	parts := [][]byte{all}
	for range places {
		i := r.IntN(len(parts))
		at := r.IntN(len(parts[i]) + 1)
		parts = slices.Insert(parts, i+1, parts[i][at:])
		parts[i] = parts[i][:at]
	}
	return slices.DeleteFunc(parts, func(p []byte) bool { return len(p) == 0 })
}
