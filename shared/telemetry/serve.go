package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is the one listener of a process, and where its traces go.
type Config struct {
	Listen       string `yaml:"listen" desc:"host:port of /healthz, /readyz and /metrics" default:"none"`
	OTLPEndpoint string `yaml:"otlp_endpoint" desc:"receiver of spans, http://host:4318: tracing.md" default:"as OTEL_EXPORTER_OTLP_ENDPOINT says, or none"`
}

// Problems lists what is wrong with c.
func (c Config) Problems(add func(field, message, hint string)) {
	if u, err := url.Parse(c.OTLPEndpoint); c.OTLPEndpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		add("otlp_endpoint", fmt.Sprintf("%q is no address of a receiver", c.OTLPEndpoint), "write http://host:4318, or leave it empty")
	}
	if c.Listen == "" {
		return
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		add("listen", fmt.Sprintf("%q is no address", c.Listen), "write host:port, for example 127.0.0.1:9464, or leave it empty")
	}
}

// NewRegistry is a metrics registry with the process's own figures.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Ready says whether a process can do its work now, and if not, why.
type Ready func() error

// Serve answers /healthz, /readyz and /metrics until ctx ends. An empty address serves nothing.
func Serve(ctx context.Context, c Config, metrics prometheus.Gatherer, ready Ready) error {
	if c.Listen == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen for metrics on %s: %w (choose another telemetry.listen)", c.Listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, ready()) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", c.Listen, err)
	}
	return nil
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	body := map[string]any{"ok": err == nil}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		body["reason"] = err.Error()
	}
	json.NewEncoder(w).Encode(body)
}
