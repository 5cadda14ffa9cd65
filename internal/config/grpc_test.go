package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
)

func TestTheGRPCListenerTakesWhatGRPCHasAUseFor(t *testing.T) {
	const rest = "\nissuers: [{issuer: https://login.acme.example, client: {id: a, secret: {env: HOME}}}]\n"
	for grpc, want := range map[string]string{
		`{address: "127.0.0.1:9191", hosts: [a.example]}`:                    "listen.grpc.hosts",
		`{address: "127.0.0.1:9191", entrypoint: data.authz.decision}`:       "listen.grpc.entrypoint",
		`{entrypoint_key: policy}`:                                           "listen.grpc.address",
		`{address: "0.0.0.0:9191"}`:                                          "listen.grpc.address",
		`{address: "127.0.0.1:8181"}`:                                        "listen.grpc.address",
		`{address: "127.0.0.1:9191", entrypoint: authz/decision}`:            "",
		`{address: "127.0.0.1:9191", limits: {body_bytes: 100000}, tls: {}}`: "",
	} {
		_, err := config.Parse("sidecar.yaml", []byte("listen:\n  grpc: "+grpc+rest), nil)
		if said := fmt.Sprint(err); want == "" && strings.Contains(said, "listen.") ||
			!strings.Contains(said, want+":") && want != "" {
			t.Errorf("%s: %v, want a fault of %q", grpc, err, want)
		}
	}
}

func TestTheEntrypointOfAListenerMustBeThere(t *testing.T) {
	cfg := config.Default()
	cfg.Listen.GRPC.Entrypoint = "gateway/decision"
	cfg.Listen.ForwardAuth = []forwardauth.Config{{}, {Entrypoint: "nginx/decision"}}
	for range 2 { // the configuration itself stays as it is
		if got := cfg.EngineConfig().Entrypoints; !slices.Equal(got, []string{"gateway/decision", "nginx/decision"}) {
			t.Errorf("policies need %v", got)
		}
	}
}
