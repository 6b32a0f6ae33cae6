package trace

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"cloudcanvas/shared/telemetry"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Options say where spans go, and what process they are of.
type Options struct {
	// Endpoint is the OTLP/HTTP receiver's base address, http://host:4318. Empty: as the standard
	// environment says (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT); where that
	// says nothing either, nothing is traced.
	Endpoint string
	Service  string // canvas-edge or canvas-cloud; OTEL_SERVICE_NAME overrides
	Instance string // the device's name, or the process's id
	Version  string
	Log      *slog.Logger
}

// Open makes the tracer, or gives nil where no endpoint is named. It connects when first used. What the
// receiver can't take in time is dropped: tracing holds nothing up.
func Open(ctx context.Context, o Options) (*Tracer, error) {
	if !wanted(o.Endpoint) {
		return nil, nil
	}
	var options []otlptracehttp.Option
	if o.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimRight(o.Endpoint, "/")+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("open the export of traces: %w (telemetry.otlp_endpoint, or OTEL_EXPORTER_OTLP_ENDPOINT)", err)
	}
	self := []attribute.KeyValue{attribute.String("service.name", o.Service), attribute.String("service.instance.id", o.Instance)}
	if o.Version != "" {
		self = append(self, attribute.String("service.version", o.Version))
	}
	who, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(self...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the process for traces: %w (OTEL_RESOURCE_ATTRIBUTES)", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(&loggedExporter{SpanExporter: exporter, log: o.Log}), sdk.WithResource(who))
	o.Log.Info("traces are exported to an OTLP receiver", "service", o.Service, "instance", o.Instance)
	return &Tracer{provider: provider, tracer: provider.Tracer("cloudcanvas")}, nil
}

// wanted says whether an endpoint is named, and the standard's switches are not off.
func wanted(endpoint string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// loggedExporter is an exporter that logs once that it fails and once that it works again.
type loggedExporter struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing atomic.Bool
}

func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.failing.Swap(true):
		e.log.Warn("traces can't be exported; their spans are dropped until the receiver answers", "spans", len(spans), telemetry.Err, err)
	case err == nil && e.failing.Swap(false):
		e.log.Info("traces are exported again")
	}
	return nil // logged here: the library would write to stderr by itself
}
