package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/probe"
)

// healthTimeout is below the usual timeout of a container's health check, which would end the command without a
// message.
const healthTimeout = 3 * time.Second

// healthcheck is what the flags of the command say.
type healthcheck struct {
	file    string
	named   bool // the file is, by --config
	live    bool
	timeout time.Duration
	target  probe.Target
	out     io.Writer
}

func healthcheckCommand(std streams) *cobra.Command {
	h := healthcheck{out: std.out}
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running sidecar whether it is ready",
		Long: `Ask a running sidecar whether it is ready, or, with --live, whether it answers at all. For containers without a
shell, and for service managers.

Without --url the listener is that of the configuration, on this machine: a port or a Unix socket, with TLS or without.
With TLS, only the certificate that the configuration names is trusted. If a listener requires client certificates,
another listener is used. If all require them, give a certificate with --cert-file and --key-file. Without a
configuration file the address is 127.0.0.1:8181, or that of the SIDECAR_LISTEN_API_ variables.

Proxies of the environment are not used, and redirects are not followed.

Exit status: 0 it is ready; 1 it is not ready, or does not answer in time: a line says why; 2 wrong usage.`,
		Example: `  sidecar healthcheck --config /etc/sidecar/sidecar.yaml
  sidecar healthcheck --live --url unix:///run/sidecar/api.sock
  sidecar healthcheck --url https://sidecar.internal:8181 --ca-file /etc/ssl/internal.pem`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h.named = cmd.Flags().Changed("config")
			return h.run(cmd)
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &h.file)
	f.StringVar(&h.target.URL, "url", "", "`URL` of a listener in place of the configuration: http://host:port, "+
		"https://host:port or unix:///path; a path behind the port is requested as it is")
	f.BoolVar(&h.live, "live", false, "ask /livez in place of /readyz")
	f.StringVar(&h.target.CAFile, "ca-file", "", "PEM `FILE` of the authorities of the listener's certificate")
	f.StringVar(&h.target.ServerName, "server-name", "",
		"`NAME` in the listener's certificate, where it is not the host of --url")
	f.StringVar(&h.target.CertFile, "cert-file", "", "PEM `FILE` of a client certificate to show")
	f.StringVar(&h.target.KeyFile, "key-file", "", "PEM `FILE` of the key of the client certificate")
	f.DurationVar(&h.timeout, "timeout", healthTimeout, "`TIME` for the answer")
	return cmd
}

func (h healthcheck) run(cmd *cobra.Command) error {
	h.target.Path = probe.Ready
	if h.live {
		h.target.Path = probe.Live
	}
	var hint string
	switch {
	case h.target.URL == "":
		var err error
		if hint, err = h.configured(); err != nil {
			return err
		}
	case h.named:
		return wrongUsage(cmd, "--url and --config both say which listener to ask: leave one out")
	}
	if u, err := url.Parse(h.target.URL); h.live && err == nil && u.Scheme != "unix" && u.Path != "" && u.Path != "/" {
		return wrongUsage(cmd, "--live asks %s, and --url has a path already", probe.Live)
	}
	if err := h.target.Check(); err != nil {
		return wrongUsage(cmd, "%w", err)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), h.timeout)
	defer cancel()
	if err := h.target.Ask(ctx); err != nil {
		return &failure{err: fmt.Errorf("ask %s: %w", h.target, err), hint: hint, exit: exitFailed}
	}
	_, err := fmt.Fprintf(h.out, "ok: %s\n", h.target)
	return err
}

// configured makes the target that of the configuration. hint is what to say when it does not answer.
func (h *healthcheck) configured() (hint string, err error) {
	l, found, err := config.LoadListen(h.file, os.Environ())
	switch {
	case err != nil:
		return "", err
	case !found && h.named:
		return "", fmt.Errorf("read configuration: there is no file %q", h.file)
	case !found:
		hint = fmt.Sprintf("there is no configuration %s, so the default address was asked: name one by --config, "+
			"or the listener by --url", h.file)
	}
	listeners := []listen.Config{l.API, l.Metrics, l.Admin}
	if h.target.CertFile != "" {
		listeners = listeners[:1]
	}
	own, err := probe.Own(h.target.Path, listeners...)
	if err != nil {
		return "", fmt.Errorf("find the listener in %s: %w", h.file, err)
	}
	own.CAFile, own.ServerName = h.target.CAFile, h.target.ServerName
	own.CertFile, own.KeyFile = h.target.CertFile, h.target.KeyFile
	h.target = own
	return hint, nil
}
