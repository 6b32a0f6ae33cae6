package infer

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/cpu"

	"cloudcanvas/shared/vision"
)

func TestEightBitsSeeTheCloudsThatFloatSees(t *testing.T) {
	m := known(t, "ukis_csmask_6b_l1c")
	if m.Int8 == nil {
		t.Fatal("the project's int8.json is not found for weights that it knows")
	}
	float := open(t, m, ORTCPU, Layout{Sessions: 1})
	for _, engine := range cpuEngines() {
		if engine == OVCPU && !cpu.X86.HasAVX512VNNI && !cpu.X86.HasAVXVNNI {
			t.Log("openvino-int8: this processor cuts off sums of products of bytes; the golden case drops it here")
			continue
		}
		if eight, ok := map[string]string{ORTCPU: ORTInt8, OVCPU: OVInt8}[engine]; ok {
			t.Run(eight, func(t *testing.T) { seesTheSame(t, float, open(t, m, eight, Layout{Sessions: 1})) })
		}
	}
}

func seesTheSame(t *testing.T, float, small *Network) {
	for _, at := range [][2]int{{0, 0}, {256, 0}, {0, 256}, {256, 256}} {
		im := scene(t, at[0], at[1], 256, 256)
		var masks [2][]byte
		for i, n := range []*Network{float, small} {
			out, err := n.Run(context.Background(), []vision.Image{im})
			if err != nil {
				t.Fatal(err)
			}
			masks[i] = out[0].Mask.Class
		}
		same := 0
		for i := range masks[0] {
			if masks[0][i] == masks[1][i] {
				same++
			}
		}
		share := float64(same) / float64(len(masks[0]))
		t.Logf("window at %v: %.2f %% of the pixels have the same class", at, 100*share)
		if share < 0.995 {
			t.Errorf("window at %v: only %.2f %% of the pixels have the same class", at, 100*share)
		}
	}
}

func TestTrialsAreRememberedForOnePlanOnly(t *testing.T) {
	m := known(t, "ukis_csmask_6b_l1c")
	f, err := readFile(m)
	if err != nil {
		t.Fatal(err)
	}
	l := Layout{Remember: t.TempDir()}
	with := f.memoryPath(l)
	other := *m.Int8
	other.Convs = other.Convs[1:]
	f.model.Int8 = &other
	changed := f.memoryPath(l)
	f.model.Int8 = nil
	if without := f.memoryPath(l); with == changed || with == without {
		t.Error("another int8.json is told from memory")
	}
	if _, err := f.open(ORTInt8, Layout{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a plan: %v", err)
	}
}
