package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// BenchmarkPut holds the folder store against write, fsync, rename and fsync of the folder by hand, by
// turns: one at a time, and eight at a time as the bridge writes them. ratio is ours to theirs.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{100 << 10, 1 << 20} {
		for _, beside := range []int{1, 8} {
			b.Run(fmt.Sprintf("%dKiB/%d", size>>10, beside), func(b *testing.B) { benchPut(b, size, beside) })
		}
	}
}

func benchPut(b *testing.B, size, beside int) {
	dir := b.TempDir()
	s := open(b, filepath.Join(dir, "store"))
	plain := filepath.Join(dir, "plain")
	if err := os.Mkdir(plain, 0o755); err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var ours, theirs time.Duration
	serial := 0
	b.SetBytes(int64(size * beside))
	for b.Loop() {
		ours += together(b, beside, func(n int) error {
			return s.Put(b.Context(), fmt.Sprintf("items/mast-7/01K0/%d-%d", serial, n), data)
		})
		theirs += together(b, beside, func(n int) error {
			return byHand(filepath.Join(plain, fmt.Sprintf("%d-%d", serial, n)), data)
		})
		serial++
	}
	b.ReportMetric(float64(serial*beside)/ours.Seconds(), "objects/s")
	b.ReportMetric(float64(serial*beside)/theirs.Seconds(), "by-hand/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
}

func together(b *testing.B, n int, do func(n int) error) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(i); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

func byHand(path string, data []byte) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
