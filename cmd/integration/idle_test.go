package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/mqtt"
)

// BenchmarkIdle is what a device costs that has nothing to do: connected to both brokers, with two
// cameras that see the same picture every second.
func BenchmarkIdle(b *testing.B) {
	const seconds = 20
	s := newSite(b)
	s.run("frames: {enabled: true, detector: opencv_hog_people}\nscreen: {cameras: {motion: 0.01}}\nframe_every: 0s\n")
	picture, err := os.ReadFile(clip(b, filepath.Join(b.TempDir(), "frame.jpg"), 1))
	if err != nil {
		b.Fatal(err)
	}
	client, err := mqtt.Dial(b.Context(), mqtt.Options{URL: s.local.URL, ClientID: "cameras"})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	until(b, 2*time.Minute, "a connection", client.Connected)
	look := func(n int) {
		for range n {
			for _, camera := range []string{"gate", "yard"} {
				if err := client.Publish(b.Context(), "canvas/cameras/"+camera+"/frame", 0, false, picture); err != nil {
					b.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
	}
	look(5) // the background is learnt
	pid := s.edge.cmd.Process.Pid
	for b.Loop() {
		cpu, wakes := spent(b, pid)
		look(seconds)
		cpuAfter, wakesAfter := spent(b, pid)
		b.ReportMetric(100*(cpuAfter-cpu)/seconds, "%-of-a-core")
		b.ReportMetric(float64(wakesAfter-wakes)/seconds, "wakeups/s")
	}
}

// spent is the processor time of a process in seconds, and how often its threads woke up.
func spent(b *testing.B, pid int) (cpu float64, wakes int64) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	for _, ticks := range fields[11:13] {
		n, err := strconv.ParseFloat(ticks, 64)
		if err != nil {
			b.Fatal(err)
		}
		cpu += n / 100 // USER_HZ
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
				wakes += n
			}
		}
	}
	return cpu, wakes
}
