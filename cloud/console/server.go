package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/security"
)

// Handler is everything that the console serves.
func (k *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	k.site.Routes(mux)
	k.guard.Routes(mux)
	k.api.Routes(mux, k.stopping)
	k.stac.Routes(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		request.JSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /readyz", k.readyz)
	if k.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(k.Gatherer, promhttp.HandlerOpts{}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		k.refuser.Refuse(w, r, http.StatusNotFound, "There is no such page here.")
	})
	return k.caught(k.metrics.timed(k.guard.Around(mux)))
}

// caught turns a panic of a handler into a page without a stack trace; the log has it.
func (k *Console) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			k.Logger.Error("the console failed to answer a request", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			k.refuser.Refuse(w, r, http.StatusInternalServerError, "This page has a fault. The log says more; the rest of the console goes on.")
		}()
		next.ServeHTTP(w, r)
	})
}

func (k *Console) readyz(w http.ResponseWriter, _ *http.Request) {
	if _, err := k.index.Kafka(); err != nil {
		request.JSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "reason": "Kafka cannot be reached: " + err.Error()})
		return
	}
	if err := k.Disk.Err(); err != nil {
		request.JSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "reason": err.Error()})
		return
	}
	request.JSON(w, http.StatusOK, map[string]any{"ok": true})
}

func (k *Console) listen() (net.Listener, string, error) {
	listener, err := net.Listen("tcp", k.config.Listen)
	if err != nil {
		return nil, "", fmt.Errorf("listen for people on %s: %w (choose another console.listen)", k.config.Listen, err)
	}
	if k.config.Cert == "" {
		return listener, "http://" + listener.Addr().String() + "/", nil
	}
	encryption, err := security.ServerTLS(k.config.Cert, k.config.Key, "")
	if err != nil {
		listener.Close()
		return nil, "", fmt.Errorf("the console's certificate: %w", err)
	}
	encryption.NextProtos = []string{"h2", "http/1.1"}
	return tls.NewListener(listener, encryption), "https://" + listener.Addr().String() + "/", nil
}

// shutdown is how long answers under way may take when the console stops.
const shutdown = 3 * time.Second

func (k *Console) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: k.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(k.Logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		close(k.stopping)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve people: %w", err)
	}
	return nil
}
