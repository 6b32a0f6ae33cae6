package trial

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is what the child holds of the machine's memory, in bytes; 0 once it is gone.
func (c *Child) memory() int64 {
	return ofStatus(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid), "VmRSS:", "VmSwap:")
}

// ofStatus adds up lines of kB of a file of /proc.
func ofStatus(path string, names ...string) (sum int64) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(line, name); ok {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				sum += n << 10
			}
		}
	}
	return sum
}

// Available is what the kernel takes to be free for new work, in bytes; 0: it does not say.
func Available() int64 { return ofStatus("/proc/meminfo", "MemAvailable:") }

// tick is the unit of time in /proc/<pid>/stat, on every Linux that Go runs on.
const tick = time.Second / 100

// cpu is the time that the child's threads have computed.
func (c *Child) cpu() time.Duration {
	fields := stat(c.cmd.Process.Pid)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// stat are the fields of /proc/<pid>/stat behind the program's name, which may hold blanks itself.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// began is when a process began, by the clock of its kernel; empty where there is none.
func began(pid int) string {
	if fields := stat(pid); len(fields) > 19 {
		return fields[19]
	}
	return ""
}

// boot names the machine's run since it was switched on.
func boot() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
