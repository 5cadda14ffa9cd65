package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestNoRequestFailsInAnyOrderOfRotations: three rotations in a row, in each pair of orders, in the time of a bubble.
func TestNoRequestFailsInAnyOrderOfRotations(t *testing.T) {
	for first, rotateFirst := range orders {
		for second, rotateSecond := range orders {
			t.Run(first+", "+second, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &rotating{served: map[int]int{}, denied: map[int]int{}}
					r.accept(0)
					s, name := openBasic(t, secretOf(0), func(password string) int {
						if r.judge(generationOf(password)) {
							return 200
						}
						return 401
					})
					r.write = func(g int) { testkit.WriteFile(t, name, secretOf(g)) }
					answered(t, s)
					l := startLoad(t, s)
					for next := 1; next <= rotations; next++ {
						rotate := rotateFirst
						if next%2 == 0 {
							rotate = rotateSecond
						}
						rotate(t, r, next)
						testkit.Eventually(t, "the new one is used", func() bool {
							return r.count(r.served, next) > 0
						})
					}
					l.done(t)
				})
			})
		}
	}
}

func TestWhatIsRefusedIsTriedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		s, name := openBasic(t, "old", func(password string) int {
			if password == "old" {
				return 200
			}
			refused++
			return 401
		})
		postFor(t, s, time.Second, 200)
		testkit.WriteFile(t, name, "new")
		postFor(t, s, time.Minute, 200)
		if refused < 4 || refused > 7 { // after 0, 1, 3, 7, 15 and 31 s
			t.Errorf("tried %d times in a minute", refused)
		}
		testkit.WriteFile(t, name, "newer")
		before := refused
		postFor(t, s, 2*time.Second, 200)
		if refused == before {
			t.Error("another change was not tried at once")
		}
	})
}

func TestARefusalWithoutAFormerSecretIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openBasic(t, "wrong", func(string) int { return 401 })
		start := time.Now()
		post(t, s, 401)
		if took := time.Since(start); took > 0 {
			t.Errorf("after %v", took)
		}
	})
}

func TestRequestsWaitForTheFileOnlyForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := true
		s, _ := openBasic(t, "s", func(string) int {
			if good {
				return 200
			}
			return 401
		})
		post(t, s, 200)
		good = false
		start := time.Now()
		post(t, s, 401)
		if took := time.Since(start); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("the first waits %v", took)
		}
		start = time.Now()
		post(t, s, 401)
		if took := time.Since(start); took > 0 {
			t.Errorf("the next waits %v", took)
		}
	})
}

func TestTheFormerSecretBridgesNodesThatLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := "old"
		s, name := openBasic(t, "old", func(password string) int {
			if password == takes {
				return 200
			}
			return 401
		})
		postFor(t, s, time.Second, 200)
		testkit.WriteFile(t, name, "new")
		for range 30 { // one node knows the new secret, the other one the old
			takes = map[string]string{"old": "new", "new": "old"}[takes]
			postFor(t, s, time.Second, 200)
		}
		takes = "new"
		postFor(t, s, 2*time.Minute, 200)
		takes = "old"
		post(t, s, 401)
	})
}

func TestAnEnvironmentVariableIsReadOnce(t *testing.T) {
	t.Setenv("RS_SECRET", "s")
	u := serve(t, active)
	cfg := u.config(t)
	cfg.Client.Secret = secret.Source{Env: "RS_SECRET"}
	s := open(t, cfg)
	t.Setenv("RS_SECRET", "t")
	answered(t, s)
	if _, password, _ := u.last().BasicAuth(); password != "s" {
		t.Errorf("secret %q", password)
	}
}

// openBasic is a server with a secret file behind a wire that answers a password with a status.
func openBasic(t *testing.T, password string, status func(password string) int) (s *oauth.Server, name string) {
	t.Helper()
	name = testkit.TempFile(t, "secret", password)
	s, err := oauth.New(oauth.Config{
		Name: "test", IntrospectionEndpoint: "https://as.example/i",
		Client:  oauth.Client{ID: "rs", Secret: secret.Source{File: name}},
		Timeout: 5 * time.Second, MaxResponseBytes: 1 << 20,
	}, oauth.Deps{Needs: []oauth.Endpoint{oauth.Introspection}, Transport: wire(
		func(r *http.Request) (*http.Response, error) {
			_, password, _ := r.BasicAuth()
			answer := wireJSON("{}")
			answer.StatusCode = status(password)
			return answer, nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, name
}

// post asks once and wants a status.
func post(t *testing.T, s *oauth.Server, want int) {
	t.Helper()
	if r, err := s.Post(t.Context(), "https://as.example/i", url.Values{}, "application/json"); err != nil ||
		r.Status != want {
		t.Fatalf("status %d, %v", r.Status, err)
	}
}

// postFor asks every 100 ms for d.
func postFor(t *testing.T, s *oauth.Server, d time.Duration, want int) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		post(t, s, want)
	}
}
