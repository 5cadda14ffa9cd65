//go:build real

package realtest

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	keycloakVersion = "26.7.3"
	keycloakSHA256  = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
)

// keycloak is a Keycloak that runs, with one realm for tests that leave others alone. Others get a realm of their own.
//
// It listens twice. All its realms name their issuers, and all endpoints, below secure, whichever listener is asked;
// so a token is good at both. secure asks for a certificate of the client, and does without.
type keycloak struct {
	*keycloakRealm
	proc          *process
	secure, plain string            // URLs, without a path
	ca            testkit.Authority // of the secure listener and of the certificates of clients
	caFile        string
	web           *http.Client // trusts ca
	password      string       // of the administrator
	adminAccess   string       // a token of theirs
	adminUntil    time.Time
	vault         vault
}

// startKeycloak starts a Keycloak with an empty database in memory, and makes its first realm.
func startKeycloak(t *testing.T, v vault) *keycloak {
	t.Helper()
	home := t.TempDir()
	// The build is copied: Keycloak writes below the folder that it lives in.
	command(t, 5*time.Minute, "", tool(t, "cp", "install coreutils"), "-a", keycloakBuild(t)+"/.", home)

	ca := testkit.NewAuthority(t)
	certificate, key := ca.Server(t).Files(t)
	root := testkit.TempFile(t, "ca.crt", ca.PEM())
	port, securePort := freePort(t), freePort(t)
	k := &keycloak{
		secure: fmt.Sprintf("https://127.0.0.1:%d", securePort), plain: fmt.Sprintf("http://127.0.0.1:%d", port),
		ca: ca, caFile: root,
		password: v.keep("password of Keycloak's administrator", rand.Text()), vault: v,
	}
	k.web = k.showing(nil)
	t.Cleanup(k.web.CloseIdleConnections)
	cmd := keycloakCommand(home, port,
		fmt.Sprintf("--https-port=%d", securePort), "--hostname="+k.secure,
		"--https-certificate-file="+certificate,
		"--https-certificate-key-file="+key,
		"--https-trust-store-file="+k.caFile,
		// Events are pushed by a task that looks for them; every 30 s, if it is not told otherwise.
		"--spi-ssf-transmitter--default--outbox-drainer-interval=200ms",
		"--spi-ssf-transmitter--default--allow-insecure-push-targets=true",
		"--spi-ssf-transmitter--default--min-verification-interval-seconds=0",
	)
	cmd.Env = append(cmd.Env, "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD="+k.password)
	begun := time.Now()
	k.proc = start(t, "Keycloak "+keycloakVersion, cmd)
	metadata := k.plain + "/realms/master/.well-known/openid-configuration"
	k.proc.await(t, 5*time.Minute, func() bool { return responds(metadata) })
	t.Logf("Keycloak %s is ready after %v", keycloakVersion, time.Since(begun).Round(time.Second))
	k.keycloakRealm = k.newRealm(t)
	return k
}

// keycloakCommand runs the Keycloak in home, which takes its other options from its keycloak.conf. That compiles
// little and only once is what makes it start sooner.
func keycloakCommand(home string, port int, more ...string) *exec.Cmd {
	options := []string{"start-dev", "--http-host=127.0.0.1", fmt.Sprintf("--http-port=%d", port)}
	cmd := exec.Command(filepath.Join(home, "bin", "kc.sh"), slices.Concat(options, more)...)
	cmd.Env = append(os.Environ(), "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1")
	return cmd
}

// keycloakBuild is a Keycloak that has been built for the options in testdata. The first start would do it otherwise,
// each time, and development mode has no command for it alone.
func keycloakBuild(t *testing.T) string {
	t.Helper()
	tool(t, "java", "install a Java 17 runtime")
	archive, conf := keycloakArchive(t), filepath.Join("testdata", "keycloak", "keycloak.conf")
	return cached(t, "keycloak-"+keycloakVersion+"-", []string{archive, conf}, func(fresh string) {
		command(t, 5*time.Minute, "", tool(t, "tar", "install tar"), "-xzf", archive, "-C", fresh,
			"--strip-components=1")
		testkit.WriteFile(t, filepath.Join(fresh, "conf", "keycloak.conf"), testkit.ReadFile(t, conf))
		port := freePort(t)
		first := start(t, "Keycloak "+keycloakVersion+", to be built", keycloakCommand(fresh, port))
		first.await(t, 5*time.Minute, func() bool {
			return responds(fmt.Sprintf("http://127.0.0.1:%d/realms/master/.well-known/openid-configuration", port))
		})
		first.stop(t)
		if err := os.RemoveAll(filepath.Join(fresh, "data")); err != nil {
			t.Fatal(err)
		}
	})
}

// keycloakArchive is the distribution, fetched from Maven Central when the cache does not hold it.
func keycloakArchive(t *testing.T) string {
	t.Helper()
	cache := cacheDir(t)
	name := "keycloak-quarkus-dist-" + keycloakVersion + ".tar.gz"
	archive := filepath.Join(cache, name)
	if sum, err := sha256Of(archive); err == nil && sum == keycloakSHA256 {
		return archive
	}
	// Fetched into another name, so that half of it is never used.
	fresh, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	command(t, 10*time.Minute, fresh, tool(t, "mvn", "install Maven"), "-q", "-B", "dependency:copy",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":tar.gz", "-DoutputDirectory="+fresh)
	sum, err := sha256Of(filepath.Join(fresh, name))
	if err != nil {
		t.Fatalf("fetch %s: %v", name, err)
	}
	if sum != keycloakSHA256 {
		t.Fatalf("fetch %s: its SHA-256 is %s, want %s", name, sum, keycloakSHA256)
	}
	if err := os.Rename(filepath.Join(fresh, name), archive); err != nil {
		t.Fatal(err)
	}
	return archive
}

// showing calls the secure listener, and shows a certificate unless it is nil. A certificate by another authority does
// not get through the handshake.
func (k *keycloak) showing(certificate *testkit.Certificate) *http.Client {
	c := client()
	config := &tls.Config{RootCAs: k.ca.Pool()}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate,
			error) {
			return &certificate.Certificate, nil
		}
	}
	// One that shows a certificate keeps no connection: nothing would close it.
	c.Transport = &http.Transport{TLSClientConfig: config, DisableKeepAlives: certificate != nil}
	return c
}
