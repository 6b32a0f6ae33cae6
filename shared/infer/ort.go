package infer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"
)

// loaded is the process's one ONNX Runtime: the library has one environment, made on first use and
// kept until the process ends.
var loaded struct {
	sync.Mutex
	from string
}

// loadORT loads libonnxruntime.so from the first of: dir, .deps/lib, lib and lib/canvas beside the program's folder,
// $CANVAS_HOME/lib, $LD_LIBRARY_PATH and the system's folders.
func loadORT(dir string) error {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.from != "" {
		return nil
	}
	const name = "libonnxruntime.so"
	var tried []string
	for _, d := range libraryFolders(dir) {
		path := filepath.Join(d, name)
		if _, err := os.Stat(path); err != nil {
			tried = append(tried, d)
			continue
		}
		ort.SetSharedLibraryPath(path)
		if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
			return fmt.Errorf("%w: %s does not load: %s", ErrUnavailable, path, oneLine(err.Error()))
		}
		loaded.from = path
		return nil
	}
	return fmt.Errorf("%w: %s is in none of %v; run make setup, or set runtime to its folder", ErrUnavailable, name, tried)
}

// versionORT is the library's version; empty where it does not load.
func versionORT(dir string) string {
	if loadORT(dir) != nil {
		return ""
	}
	return ort.GetVersion()
}

func libraryFolders(dir string) []string {
	if dir != "" {
		return []string{dir}
	}
	var folders []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		folders = append(folders, filepath.Join(filepath.Dir(exe), "..", ".deps", "lib"), filepath.Join(filepath.Dir(exe), "..", "lib"), filepath.Join(filepath.Dir(exe), "..", "lib", "canvas"))
	}
	if home := os.Getenv("CANVAS_HOME"); home != "" {
		folders = append(folders, filepath.Join(home, "lib"))
	}
	folders = append(folders, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	return append(folders, "/usr/local/lib", "/usr/lib")
}

// ortEngine runs a network in ONNX Runtime. Sessions of one thread compute in their caller's thread
// and share one copy of the weights; sessions of more have a pool, hence a copy, each.
type ortEngine struct {
	file    *file
	threads int
	where   string
	cuda    bool
	int8    bool
	strict  bool // no operator may fall back to the CPU
	alone   bool // no session computes beside another
	kept    *keptFile
	settled bool // what is kept was loaded
	shared  *ort.DynamicAdvancedSession
}

func openORT(f *file, s *spec, l Layout) (engine, error) {
	if err := loadORT(l.Runtime); err != nil {
		return nil, err
	}
	e := &ortEngine{file: f, threads: l.Threads, alone: l.Sessions == 1, where: cpuName(), cuda: s.gpu, int8: s.int8, kept: f.keptAs(s, l)}
	var err error
	if e.cuda {
		// First so that nothing may run on the CPU; where a few operators must, that is said.
		e.strict, e.where = true, "CUDA device 0"
		if e.shared, err = e.load(); err != nil && !errors.Is(err, ErrUnavailable) {
			e.strict, e.where = false, "CUDA device 0, some operators on the CPU"
			e.shared, err = e.load()
		}
	} else if e.threads == 1 {
		e.shared, err = e.load()
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// load makes a session, with what else is asked of its options.
func (e *ortEngine) load(more ...func(*ort.SessionOptions) error) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime: %w", err)
	}
	defer o.Destroy()
	// A thread that spins a little while it waits for the others of its session answers a fifth
	// to a third sooner, and takes the core from a session beside it.
	spin := "0"
	if e.alone {
		spin = "1"
	}
	settings := [][2]string{
		{"session.intra_op.allow_spinning", spin},
		{"session.intra_op.spin_duration_us", "1000"},
		{"session.inter_op.allow_spinning", "0"},
	}
	if e.int8 && runtime.GOARCH == "amd64" && !cpu.X86.HasAVX512VNNI && !cpu.X86.HasAVXVNNI {
		// Products of unsigned and signed bytes are added in 16 bits there and cut off; with this, both sides
		// are unsigned, which is exact and slower: with VNNI as well, so it is not asked for there.
		settings = append(settings, [2]string{"session.x64quantprecision", "1"})
	}
	if e.strict {
		settings = append(settings, [2]string{"session.disable_cpu_ep_fallback", "1"})
	}
	data, level, err := e.bytes()
	if err != nil {
		return nil, err
	}
	err = errors.Join(o.SetIntraOpNumThreads(e.threads), o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(level), o.SetLogSeverityLevel(ort.LoggingLevelFatal))
	for _, ask := range more {
		err = errors.Join(err, ask(o))
	}
	for _, s := range settings {
		err = errors.Join(err, o.AddSessionConfigEntry(s[0], s[1]))
	}
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime: %w", err)
	}
	if e.cuda {
		if err := withCUDA(o); err != nil {
			return nil, err
		}
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{e.file.inputs}, e.file.outputs, o)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime reading %s: %s", e.file.model.Path, oneLine(err.Error()))
	}
	return s, nil
}

// keep writes the network as it was laid out, unless that is where it came from. What can't be written
// is worked out again at the next start.
func (e *ortEngine) keep() {
	if e.settled {
		return
	}
	e.kept.write(func(path string) error {
		s, err := e.load(func(o *ort.SessionOptions) error { return o.SetOptimizedModelFilePath(path) })
		if err != nil {
			return err
		}
		return s.Destroy()
	})
}

// bytes is the network: as it was laid out for this machine before, or as it came.
func (e *ortEngine) bytes() ([]byte, ort.GraphOptimizationLevel, error) {
	if data := e.kept.read(); data != nil {
		e.settled = true
		return data, ort.GraphOptimizationLevelDisableAll, nil
	}
	if !e.int8 {
		return e.file.data, ort.GraphOptimizationLevelEnableAll, nil
	}
	data, err := e.file.inInt8()
	return data, ort.GraphOptimizationLevelEnableAll, err
}

func withCUDA(o *ort.SessionOptions) error {
	c, err := ort.NewCUDAProviderOptions()
	if err == nil {
		defer c.Destroy()
		// TF32 rounds to 10 bits of mantissa: faster on recent devices, and no longer the golden case.
		if err = c.Update(map[string]string{"device_id": "0", "use_tf32": "0"}); err == nil {
			err = o.AppendExecutionProviderCUDA(c)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %s", ErrUnavailable, oneLine(err.Error()))
	}
	return nil
}

func (e *ortEngine) device() string { return e.where }

func (e *ortEngine) session() (session, error) {
	s := &ortSession{engine: e, run: e.shared, shapes: map[[3]int]*ortShape{}}
	if s.run == nil {
		own, err := e.load()
		if err != nil {
			return nil, err
		}
		s.run, s.own = own, own
	}
	return s, nil
}

func (e *ortEngine) close() {
	if e.shared != nil {
		e.shared.Destroy()
	}
}
