package edge

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/config"
)

func TestTheDeviceProfilesAndPacksAreGood(t *testing.T) {
	profiles, err := filepath.Glob("../firmware-configs/profiles/*.yaml")
	packs, _ := filepath.Glob("../firmware-configs/packs/*/edge.yaml")
	if err != nil || len(profiles) < 2 || len(packs) < 2 {
		t.Fatalf("profiles: %v %v %v", profiles, packs, err)
	}
	profiles = append(profiles, packs...)
	for _, p := range profiles {
		c := DefaultConfig()
		tellOthers(t, config.Load(p, &c, nil))
	}
}

func TestEveryMistakeOfADeviceIsTold(t *testing.T) {
	c := DefaultConfig()
	err := config.Parse("edge.yaml", []byte(`edge: mast 7
cloud: {url: broker.example}
local: {url: 'tcp://a:1', embedded: '127.0.0.1:1'}
models: {engine: abacus}
scenes:
  - {name: a, path: x.tif, folder: y, after: burn, settle: -1s}
cameras:
  - {name: a, address: x.avi, zones: [{name: yard, polygon: [[0, 0], [2, 0]]}]}
frames: {readings: 7, queue: -1, places: {gate: {lines: [{name: door, from: [0, 0], to: [3, 0]}]}}}
uplink: {window: 0, receipts: perhaps}
outbox: {quota_bytes: 5}
screen: {scenes: {change: 2}}
reference: {quota_bytes: 5}
overload: {max_lag: 1ms}
power: {hysteresis: -1}
sensors: {max_pixels: 5, readings: -1, rules: [{sensor: a, above: 1, capture: [nobody]}]}
images: [{name: set, path: x}]
echoes:
  - {path: bay.yaml, folder: in, focus: cloud, complex: false, memory: 5, settle: -1s, weighting: {range: square}}
  - {folder: in, amplitude: false, complex: false, alerts: {off: true, most: 0}}
`), &c, nil)
	if err == nil {
		t.Fatal("no mistake was told")
	}
	for _, want := range []string{
		"edge.yaml:1: edge: ", "edge.yaml:2: cloud.url: ", "edge.yaml:3: local.embedded: ", "edge.yaml:4: models.engine: ",
		"edge.yaml:6: scenes.0.path: ", "edge.yaml:6: scenes.0.after: ", "edge.yaml:6: scenes.0.settle: ", "edge.yaml:8: cameras.0.name: ", "edge.yaml:8: cameras.0.zones.0.polygon: ", "edge.yaml:9: frames.readings: is not a setting", "edge.yaml:9: frames.queue: ", "edge.yaml:16: sensors.max_pixels: is not a setting", "edge.yaml:16: sensors.readings: ", "edge.yaml:9: frames.places.gate.lines.0.to: ",
		"edge.yaml:10: uplink.window: ", "edge.yaml:10: uplink.receipts: ", "edge.yaml:11: outbox.quota_bytes: ",
		"edge.yaml:12: screen.scenes.change: ", "edge.yaml:13: reference.quota_bytes: ", "edge.yaml:14: overload.max_lag: ", "edge.yaml:15: power.hysteresis: ",
		"edge.yaml:8: cameras.0.detector: ", "edge.yaml:16: sensors.rules.0.capture: ", "edge.yaml:17: images.0.detector: ",
		"edge.yaml:19: echoes.0.path: ", "edge.yaml:19: echoes.0.complex: ", "edge.yaml:19: echoes.0.memory: ", "edge.yaml:19: echoes.0.settle: ", "edge.yaml:19: echoes.0.weighting.range: ", "edge.yaml:20: echoes.1.amplitude: ", "edge.yaml:20: echoes.1.alerts.most: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%s", want, err)
		}
	}
}

// TestWhatTheConnectionWouldRefuseIsToldByTheConfiguration has addresses that dialling refuses.
func TestWhatTheConnectionWouldRefuseIsToldByTheConfiguration(t *testing.T) {
	for address, want := range map[string]string{"tcp://u:s3cret@a:1883": "holds a user", "mqtt://": "must be mqtt://", "mqtt://a:1883": "is not encrypted"} {
		c := DefaultConfig()
		err := config.Parse("edge.yaml", []byte("edge: a\ndata: d\ncloud: {url: '"+address+"', security: {tls: true}}\nlocal: {embedded: here}\nframes: {enabled: true}\n"), &c, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "local.embedded") || !strings.Contains(err.Error(), "frames.detector") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestZonesAndLinesStandWithTheirCamera(t *testing.T) {
	c := DefaultConfig()
	tellOthers(t, config.Parse("edge.yaml", []byte(`edge: mast-7
cloud: {url: 'tcp://127.0.0.1:1883'}
local: {embedded: '127.0.0.1:0'}
cameras:
  - name: gate
    address: gate.avi
    detector: m
    zones:
      - {name: yard, polygon: [[0.1, 0.5], [0.9, 0.5], [0.5, 1]], labels: [person], loitering_seconds: 5}
      - {name: lawn, polygon: [[0, 0], [1, 0], [0, 1]], inertia: 1}
    lines: [{name: door, from: [0.5, 1], to: [0.5, 0]}]
    required_zones: [yard]
frames: {enabled: true, detector: m, places: {shed: {zones: [{name: door, polygon: [[0, 0], [1, 0], [0, 1]]}]}}}
`), &c, nil))
	gate := c.places("gate")
	if len(gate.Zones) != 2 || gate.Zones[0].Inertia != 3 || gate.Zones[0].LoiteringSeconds != 5 || gate.Zones[1].Inertia != 1 ||
		gate.Lines[0].To[1] != 0 || gate.RequiredZones[0] != "yard" {
		t.Errorf("%+v", gate)
	}
	if shed := c.places("shed"); len(shed.Zones) != 1 || len(c.places("nobody").Zones) != 0 {
		t.Errorf("%+v", shed)
	}
}

// tellOthers tells mistakes other than that certificates and passwords are not on this machine.
func tellOthers(t *testing.T, err error) {
	t.Helper()
	var e *config.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e == nil {
		return
	}
	for _, p := range e.Problems {
		if !strings.Contains(p.Message, "/etc/canvas/") {
			t.Errorf("%s:%d: %s: %s", e.File, p.Line, p.Field, p.Message)
		}
	}
}
