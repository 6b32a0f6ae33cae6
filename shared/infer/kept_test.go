package infer

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestALaterStartTakesTheNetworkAsItWasLaidOut(t *testing.T) {
	for _, engine := range cpuEngines() {
		if engine == OpenCVCPU {
			continue // keeps nothing
		}
		t.Run(engine, func(t *testing.T) { takesWhatIsKept(t, engine) })
	}
}

func takesWhatIsKept(t *testing.T, engine string) {
	f, err := readFile(known(t, "yolox_nano"))
	if err != nil {
		t.Fatal(err)
	}
	l := Layout{Sessions: 1, Remember: t.TempDir()}.withDefaults(engine, 1)
	first := f.answer(t, engine, l, true)
	files := keptIn(t, l.Remember)
	if len(files) != 1 {
		t.Fatalf("kept: %v", files)
	}
	raw := f.data
	f.data = nil // nothing else to read
	if again := f.answer(t, engine, l, true); !slices.Equal(first, again) {
		t.Error("it answers otherwise than before")
	}
	f.data = raw

	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Clone(whole)
	torn[len(torn)/2] ^= 1
	for name, content := range map[string][]byte{"torn": torn, "short": whole[:len(whole)/2], "empty": nil} {
		if err := os.WriteFile(files[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		if again := f.answer(t, engine, l, false); !slices.Equal(first, again) {
			t.Errorf("%s: it answers otherwise", name)
		}
		if left := keptIn(t, l.Remember); len(left) != 0 {
			t.Errorf("%s: it is kept still", name)
		}
	}
}

func TestAKeptNetworkThatAnswersWronglyIsForgotten(t *testing.T) {
	m := known(t, "yolox_nano")
	l := Layout{Sessions: 1, Remember: t.TempDir()}.withDefaults(ORTCPU, 1)
	other, err := readFile(known(t, "yunet_n_320"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := readFile(m)
	if err != nil {
		t.Fatal(err)
	}
	// Another network under this one's name: it loads, and says something else.
	k := f.keptAs(specOf(ORTCPU), l)
	if err := k.write(func(path string) error { return os.WriteFile(path, other.data, 0o600) }); err != nil {
		t.Fatal(err)
	}
	r := opened(t, m, l)
	if i := slices.IndexFunc(r.Trials, func(t Trial) bool { return t.Engine == ORTCPU }); r.Trials[i].Golden != goldenMatch {
		t.Errorf("it was used: %+v", r.Trials)
	}
	if files := keptIn(t, l.Remember); len(files) != 1 || bytes.Equal(k.read(), other.data) {
		t.Errorf("kept: %v", files)
	}
}

func TestWhatIsKeptOfANetworkIsOneFile(t *testing.T) {
	l := Layout{Remember: t.TempDir()}
	f := &file{model: known(t, "yolox_nano"), sum: "one"}
	for _, f.sum = range []string{"one", "two", "two"} {
		if err := f.keptAs(specOf(ORTCPU), l).write(func(path string) error { return os.WriteFile(path, []byte(f.sum), 0o600) }); err != nil {
			t.Fatal(err)
		}
	}
	if files := keptIn(t, l.Remember); len(files) != 1 || string(f.keptAs(specOf(ORTCPU), l).read()) != "two" {
		t.Errorf("kept: %v", files)
	}
}

// answer opens the file in an engine and gives its first output for the golden case's input.
func (f *file) answer(t *testing.T, engine string, l Layout, keep bool) []float32 {
	t.Helper()
	c, err := f.try(engine, l, 1, nil, &Trial{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if keep {
		c.keep()
	}
	// What was read is no longer Go's to keep, and its place is taken: the engine must have its own copy.
	for range 8 {
		runtime.GC()
		junk := make([]byte, 1<<22)
		for i := range junk {
			junk[i] = byte(i) | 1
		}
	}
	out, err := c.first.forward()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out[0].data)
}

func keptIn(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.kept"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
