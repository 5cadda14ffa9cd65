package proof_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// certificate is that of RFC 8705 appendix A in every form.
type certificate struct {
	pem, escaped, base64, hex string
	bound                     authz.Confirmation
}

func theCertificate(t testing.TB) certificate {
	t.Helper()
	var v struct {
		PEM string            `json:"certificate_pem"`
		CNF map[string]string `json:"cnf"`
	}
	vector(t, "mtls-rfc8705-vector.json", &v)
	block, _ := pem.Decode([]byte(v.PEM))
	sum, err := base64.RawURLEncoding.DecodeString(v.CNF["x5t#S256"])
	if err != nil || block == nil {
		t.Fatal("the vector is damaged")
	}
	return certificate{
		pem: v.PEM, escaped: strings.ReplaceAll(url.QueryEscape(v.PEM), "+", "%20"),
		base64: base64.StdEncoding.EncodeToString(block.Bytes), hex: hex.EncodeToString(sum),
		bound: authz.Confirmation{X5T: v.CNF["x5t#S256"]},
	}
}

func from(source proof.CertificateSource) func(*proof.Config) {
	return func(c *proof.Config) { c.MTLS.From = source }
}

// seen checks a token that is bound to the certificate, with these fields of one header.
func seen(t testing.TB, p *proof.Verifier, header string, fields ...string) error {
	t.Helper()
	q := asked()
	q.Request.Headers[header] = fields
	return verify(p, theCertificate(t).bound, as(token.Bearer), q, aTime)
}

func TestMTLS3_TheExampleOfRFC8705Passes(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromRequest)))
	q := asked()
	for name, text := range map[string]string{"PEM": c.pem,
		"PEM without its last line break": strings.TrimSpace(c.pem), "URL-encoded": c.escaped} {
		q.Request.ClientCertificate = text
		wantPass(t, name, verify(p, c.bound, as(token.Bearer), q, aTime))
	}
}

func TestMTLS4_AnotherCertificateOrNoneIsAnInvalidToken(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromRequest)))
	q := asked()
	for name, text := range map[string]string{
		"none": "", "blank": " \n", "rubbish": "rubbish", "two": c.pem + c.pem,
		"a key":          strings.ReplaceAll(c.pem, "CERTIFICATE", "PUBLIC KEY"),
		"text before it": "x\n" + c.pem, "text after it": c.pem + "x",
		"another one": strings.Replace(c.pem, "MIIBBjCB", "MIIBBjCC", 1), "a bad escape": c.escaped + "%zz",
		"empty":          "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"over the limit": strings.Repeat(c.pem, 200), "cut": c.pem[:200],
	} {
		q.Request.ClientCertificate = text
		wantRefusal(t, name, verify(p, c.bound, as(token.Bearer), q, aTime), proof.CodeInvalidToken)
	}
	q.Request.ClientCertificate = c.pem
	for _, x5t := range []string{c.bound.X5T + "=", strings.ToLower(c.bound.X5T), c.hex, "x"} {
		wantRefusal(t, "a thumbprint written "+x5t,
			verify(p, authz.Confirmation{X5T: x5t}, as(token.Bearer), q, aTime), proof.CodeInvalidToken)
	}
	wantRefusal(t, "where none is looked at", verify(proofs(t, accepting()), c.bound, as(token.Bearer), q, aTime),
		proof.CodeInvalidToken)
}

func TestMTLS5_Envoy(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromEnvoy)))
	const header = "x-forwarded-client-cert"
	for name, field := range map[string]string{
		"Hash":               "Hash=" + c.hex,
		"Hash in upper case": "hash=" + strings.ToUpper(c.hex),
		"Cert":               `Cert="` + c.escaped + `"`,
		"both": `By=spiffe://a/b;Hash=` + c.hex + `;Cert="` + c.escaped +
			`";Subject="CN=a,O=\"b\";c=d";URI=spiffe://a/c;DNS=x.example;DNS=y.example`,
		"with a chain": `Hash=` + c.hex + `;Chain="` + c.escaped + c.escaped + `"`,
	} {
		wantPass(t, name, seen(t, p, header, field))
	}
	other := strings.Repeat("0", 64)
	for name, fields := range map[string][]string{
		"no field": {}, "empty": {""}, "nothing of use": {`Subject="CN=a"`}, "another Hash": {"Hash=" + other},
		"Hash too short": {"Hash=" + c.hex[2:]}, "Hash too long": {"Hash=" + c.hex + "00"},
		"no hex": {"Hash=" + strings.Repeat("z", 64)}, "base64url": {"Hash=" + c.bound.X5T},
		"two elements":             {"Hash=" + c.hex + ",Hash=" + c.hex},
		"a client's own before it": {"Hash=" + c.hex + ",Hash=" + other},
		"and after it":             {"Hash=" + other + `;Subject="a",Hash=` + c.hex},
		"two Hash":                 {"Hash=" + c.hex + ";Hash=" + other}, "Hash and Cert disagree": {"Hash=" + other +
			`;Cert="` +
			c.escaped + `"`},
		"in a quoted value": {`Subject="Hash=` + c.hex + `"`}, "an open quote": {`Subject="a;Hash=` + c.hex},
		"after a quote": {`Subject="a"x;Hash=` + c.hex}, "a word": {c.hex},
		"two fields": {"Hash=" + c.hex, "Hash=" + c.hex},
	} {
		wantRefusal(t, name, seen(t, p, header, fields...), proof.CodeInvalidToken)
	}
}

func TestMTLS5_RFC9440(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromRFC9440)))
	wantPass(t, "as it is", seen(t, p, "client-cert", ":"+c.base64+":"))
	for name, fields := range map[string][]string{
		"no colons": {c.base64}, "one colon": {":" + c.base64}, "empty": {"::"}, "a colon": {":"},
		"two": {":" + c.base64 + ":, :" + c.base64 + ":"}, "parameters": {":" + c.base64 + ":;a=1"},
		"no padding":  {":" + strings.TrimRight(c.base64, "=") + "x:"},
		"line breaks": {":" + c.base64[:64] + "\n" + c.base64[64:] + ":"},
		"two fields":  {":" + c.base64 + ":", ":" + c.base64 + ":"},
	} {
		wantRefusal(t, name, seen(t, p, "client-cert", fields...), proof.CodeInvalidToken)
	}
}

func TestMTLS5_Nginx(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromNginx)))
	wantPass(t, "escaped", seen(t, p, "ssl-client-cert", c.escaped))
	wantRefusal(t, "empty, as without a certificate", seen(t, p, "ssl-client-cert", ""), proof.CodeInvalidToken)
	wantRefusal(t, "two fields", seen(t, p, "ssl-client-cert", c.escaped, c.escaped), proof.CodeInvalidToken)
	named := proofs(t, accepting(from(proof.FromNginx),
		func(c *proof.Config) { c.MTLS.Header = "X-Client-Certificate" }))
	wantPass(t, "in another header", seen(t, named, "x-client-certificate", c.escaped))
	wantRefusal(t, "in the usual one, where another is named", seen(t, named, "ssl-client-cert", c.escaped),
		proof.CodeInvalidToken)
}

func TestMTLS5_Traefik(t *testing.T) {
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromTraefik)))
	const header = "x-forwarded-tls-client-cert"
	wantPass(t, "as it is", seen(t, p, header, c.base64))
	wantPass(t, "URL-encoded", seen(t, p, header, url.QueryEscape(c.base64)))
	wantPass(t, "a chain", seen(t, p, header, c.base64+","+"AAAA"))
	wantPass(t, "an encoded chain", seen(t, p, header, url.QueryEscape(c.base64+","+c.base64)))
	wantRefusal(t, "not the first of a chain", seen(t, p, header, "AAAA,"+c.base64), proof.CodeInvalidToken)
	wantRefusal(t, "PEM", seen(t, p, header, c.escaped), proof.CodeInvalidToken)
	wantRefusal(t, "a comma first", seen(t, p, header, ","+c.base64), proof.CodeInvalidToken)
}

func TestMTLS5_OnlyTrustedProxiesAreBelieved(t *testing.T) {
	c := theCertificate(t)
	ask := func(p *proof.Verifier, caller string) error {
		q := asked()
		q.Caller = caller
		q.Request.Headers["x-forwarded-client-cert"] = []string{"Hash=" + c.hex}
		q.Request.ClientCertificate = c.pem
		return verify(p, c.bound, as(token.Bearer), q, aTime)
	}
	for _, source := range []proof.CertificateSource{proof.FromEnvoy, proof.FromRequest} {
		usual := proofs(t, accepting(from(source)))
		for _, caller := range []string{"127.0.0.1:1", "[::1]:1", "127.9.9.9:1", "[::ffff:127.0.0.1]:1", "@",
			"/run/client.sock", "127.0.0.1"} {
			wantPass(t, caller, ask(usual, caller))
		}
		for _, caller := range []string{"", "10.1.2.3:1", "[::2]:1", "localhost:1", "unix", "[fe80::1%lo]:1",
			"128.0.0.1:1"} {
			wantRefusal(t, caller, ask(usual, caller), proof.CodeInvalidToken)
		}
		named := proofs(t,
			accepting(from(source), func(c *proof.Config) {
				c.MTLS.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.7", "fe80::/10"}
			}))
		for _, caller := range []string{"10.1.2.3:1", "192.0.2.7:1", "[fe80::1%eth0]:1"} {
			wantPass(t, caller, ask(named, caller))
		}
		for _, caller := range []string{"127.0.0.1:1", "@", "192.0.2.8:1"} {
			wantRefusal(t, caller, ask(named, caller), proof.CodeInvalidToken)
		}
		// which Check refuses
		none, err := proof.New(accepting(from(source), func(c *proof.Config) { c.MTLS.TrustedProxies = nil }), nil)
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, "no proxy is trusted", ask(none, "127.0.0.1:1"), proof.CodeInvalidToken)
	}
}

func TestBoundToACertificateAndToAKeyNeedsBoth(t *testing.T) {
	c, h := theCertificate(t), newHolder(t)
	both := authz.Confirmation{JKT: h.jkt, X5T: c.bound.X5T}
	p := proofs(t, accepting(from(proof.FromRequest)))
	ask := func(certificate, scheme string, dpop ...string) error {
		q := asked(dpop...)
		q.Request.ClientCertificate = certificate
		return verify(p, both, as(token.Scheme(scheme)), q, aTime)
	}
	wantPass(t, "both", ask(c.pem, "dpop", h.proof(t)))
	wantRefusal(t, "only the proof", ask("", "dpop", h.proof(t)), proof.CodeInvalidToken)
	wantRefusal(t, "only the certificate", ask(c.pem, "dpop"), proof.CodeInvalidProof)
	wantRefusal(t, "only the certificate, as Bearer", ask(c.pem, "bearer"), proof.CodeInvalidToken)
	wantRefusal(t, "both, as Bearer", ask(c.pem, "bearer", h.proof(t)), proof.CodeInvalidToken)
}

// What a real listener on a Unix socket says of its callers must be what is taken for one.
func TestMTLS5_CallersOfAUnixSocketAreRecognised(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	c, p := theCertificate(t), proofs(t, accepting(from(proof.FromRequest)))
	srv := &httptest.Server{Listener: ln, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := asked()
			q.Caller, q.Request.ClientCertificate = r.RemoteAddr, c.pem
			if err := verify(p, c.bound, as(token.Bearer), q, aTime); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
			}
		})}}
	srv.Start()
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", ln.Addr().String())
		}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://sidecar/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}
