package crashguard

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// kills are the processes that the kernel has killed for memory, as far as it shows.
type kills struct {
	Known   bool   `json:"known"`
	Machine uint64 `json:"machine"`         // all of them: /proc/vmstat
	Group   string `json:"group,omitempty"` // our control group's file …
	InGroup uint64 `json:"in_group"`        // … and those in it
}

// since says whether more were killed than before. A group that was made anew counts anew, as systemd
// does at each start: then the machine's count decides.
func (k kills) since(before kills) bool {
	if k.Group != "" && k.Group == before.Group && k.InGroup > before.InGroup {
		return true
	}
	return k.Known && before.Known && k.Machine > before.Machine
}

func readKills() (k kills) {
	k.Machine, k.Known = counter("/proc/vmstat", "oom_kill")
	for _, file := range groupFiles() {
		if n, ok := counter(file, "oom_kill"); ok {
			k.Group, k.InGroup = file, n
			break
		}
	}
	return k
}

// groupFiles are where the kernel may count for our control group: of the version 2, then of 1.
func groupFiles() (files []string) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case parts[1] == "":
			dir := filepath.Join("/sys/fs/cgroup", parts[2])
			files = append(files, filepath.Join(dir, "memory.events.local"), filepath.Join(dir, "memory.events"))
		case parts[1] == "memory":
			files = append(files, filepath.Join("/sys/fs/cgroup/memory", parts[2], "memory.oom_control"))
		}
	}
	return files
}

// counter reads a line "name number".
func counter(file, name string) (n uint64, ok bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if rest, is := strings.CutPrefix(lines.Text(), name+" "); is {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
