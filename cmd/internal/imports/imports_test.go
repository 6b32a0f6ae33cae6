// Package imports holds the rules of docs/architecture.md: who may import whom.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "cloudcanvas/"
)

// mayImport are the sides of the house and what each may be made of.
var mayImport = map[string][]string{
	"shared": {"shared", "models"},
	"edge":   {"edge", "shared"},
	"cloud":  {"cloud", "shared"},
	"lab":    {"lab", "edge", "cloud", "shared", "models"}, // the product runs without it: only programs have both
	"cmd":    {"cmd", "lab", "edge", "cloud", "shared", "models"},
	"models": nil,
}

// services are the parts of the cloud that meet in Kafka and in the coordinator alone. The others, such as
// cloud/deadletter, are there for all of them.
var services = []string{"cloud/bridge", "cloud/worker", "cloud/mosaic", "cloud/console", "cloud/feed", "cloud/delivery"}

// only says in which rooms a library is known: everybody else speaks to those.
var only = map[string][]string{
	"github.com/airbusgeo/godal":          {"shared/raster", "shared/pictures/apart"}, // the second in a child process, for JPEG 2000 within DICOM
	"gocv.io/x/gocv":                      {"shared/infer"},
	"github.com/yalue/onnxruntime_go":     {"shared/infer"},
	"github.com/eclipse/paho.mqtt.golang": {"shared/mqtt"},
	"github.com/mochi-mqtt/server":        {"shared/mqtt"},
	"github.com/twmb/franz-go":            {"shared/kafka"},
	"github.com/segmentio/kafka-go":       {"shared/kafka", "cloud/lineage"}, // the last for its error codes
	"github.com/go-zookeeper/zk":          {"cloud/coord/zk"},
	"modernc.org/sqlite":                  {"edge/outbox", "cloud/console/index"},
	"gocloud.dev":                         {"cloud/store"},
	"github.com/urfave/cli":               {"cmd"},
	// Protobuf read field by field, so that a bound stands before each allocation.
	"google.golang.org/protobuf/encoding/protowire": {"shared/onnx", "shared/event", "shared/model/modeltest"},
}

// wrong says why a package may not import another; empty where it may.
func wrong(from, to string) string {
	if inside, ok := strings.CutPrefix(to, module); ok {
		side, _, _ := strings.Cut(from, "/")
		other, _, _ := strings.Cut(inside, "/")
		switch {
		case !slices.Contains(mayImport[side], other):
			return side + " is not made of " + other
		case side == "edge" && within(inside, "shared/kafka"):
			return "devices speak MQTT"
		case stage(from) != "" && other == "edge" && stage(inside) != stage(from):
			return "stages of the edge meet in the package edge alone"
		case service(from) != "" && service(inside) != "" && service(from) != service(inside):
			return "services of the cloud meet in Kafka and in the coordinator alone"
		}
		return ""
	}
	for library, rooms := range only {
		if !within(to, library) {
			continue
		}
		if !slices.ContainsFunc(rooms, func(room string) bool { return within(from, room) }) {
			return "only " + strings.Join(rooms, ", ") + " may know it"
		}
	}
	return ""
}

// stage is the stage of the edge that a package is of: edge/uplink of edge/uplink/pace.
func stage(path string) string {
	if parts := strings.Split(path, "/"); parts[0] == "edge" && len(parts) > 1 {
		return parts[1]
	}
	return ""
}

func service(path string) string {
	for _, s := range services {
		if within(path, s) {
			return s
		}
	}
	return ""
}

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func TestWhoImportsWhom(t *testing.T) {
	looked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		} else if !strings.HasSuffix(name, ".go") {
			return nil
		}
		test := strings.HasSuffix(path, "_test.go")
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || from == "." || strings.HasPrefix(from, "deps") {
			return err
		}
		looked++
		for _, i := range f.Imports {
			to, _ := strconv.Unquote(i.Path.Value)
			if test && !within(to, module+"lab") {
				continue // tests may import what they try, but nothing of the product needs lab
			}
			if why := wrong(filepath.ToSlash(from), to); why != "" {
				t.Errorf("%s imports %s: %s", path, to, why)
			}
		}
		return nil
	})
	if err != nil || looked < 100 {
		t.Fatalf("%d files were looked at: %v", looked, err)
	}
}

func TestWhatTheRulesRefuse(t *testing.T) {
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{"edge/capture", module + "edge/detect", false}, {"edge/capture", module + "edge", false}, {"edge/capture", module + "shared/event", true}, {"edge", module + "edge/detect", true}, {"edge/uplink", module + "edge/uplink/pace", true},
		{"edge", module + "cloud/bridge", false}, {"edge/uplink", module + "shared/kafka", false}, {"shared/event", module + "edge", false}, {"cloud/worker", module + "cloud/mosaic", false},
		{"edge/detect", module + "lab/evaluate", false}, {"cloud/worker", module + "lab/evaluate", false}, {"shared/track", module + "lab/evaluate", false},
		{"lab/evaluate", module + "cmd/internal/cli", false}, {"lab/evaluate", module + "edge/detect", true}, {"cmd/canvas", module + "lab/evaluate", true}, {"lab/evaluate", "gocv.io/x/gocv", false},
		{"cloud/worker", module + "cloud/deadletter", true}, {"cloud/worker/native", module + "cloud/worker", true},
		{"edge/capture", "gocv.io/x/gocv", false}, {"shared/infer/trial", "gocv.io/x/gocv", true}, {"cmd/canvas", "github.com/urfave/cli/v2", true}, {"edge", "github.com/urfave/cli/v2", false},
	} {
		if why := wrong(c.from, c.to); (why == "") != c.allowed {
			t.Errorf("%s imports %s: %q", c.from, c.to, why)
		}
	}
}
