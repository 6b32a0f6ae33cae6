package power

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// zone is a place on the chip or the board with its heat.
type zone struct {
	name    string
	celsius float64
}

// Heat beyond these is not measured but a driver's way to say that it knows nothing (Jetson's
// suspended zones show -256 °C).
const (
	coldest = -60.0
	hottest = 200.0
)

// maxFileBytes bounds what is read of any of these files.
const maxFileBytes = 4096

// hottestZone reads the kernel's thermal zones (Documentation/ABI/testing/sysfs-class-thermal):
// type is a name, temp thousandths of a degree. Zones that can't be read just now are passed over.
func hottestZone(root string, types []string) (zone, error) {
	folders, err := filepath.Glob(filepath.Join(root, "sys/class/thermal/thermal_zone*"))
	if err != nil {
		return zone{}, fmt.Errorf("look for thermal zones: %w", err)
	}
	found := zone{celsius: coldest}
	for _, f := range folders {
		name, err := readLine(filepath.Join(f, "type"))
		if err != nil || len(types) > 0 && !slices.Contains(types, name) {
			continue
		}
		text, err := readLine(filepath.Join(f, "temp"))
		if err != nil {
			continue
		}
		thousandths, err := strconv.ParseInt(text, 10, 32)
		if celsius := float64(thousandths) / 1000; err == nil && celsius > found.celsius && celsius < hottest {
			found = zone{name, celsius}
		}
	}
	if found.celsius == coldest {
		return zone{}, errors.New("no thermal zone can be read below " + root + ": check power.root and power.zones")
	}
	return found, nil
}

// powerMode reads the mode that nvpmodel set, "pmode:0002"; false where there is none.
func powerMode(root string) (mode int, ok bool) {
	text, err := readLine(filepath.Join(root, "var/lib/nvpmodel/status"))
	if err != nil {
		return 0, false
	}
	return parseMode(text)
}

func parseMode(text string) (mode int, ok bool) {
	digits, ok := strings.CutPrefix(text, "pmode:")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return int(n), err == nil
}

// readLine is the first line of a small file.
func readLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line), nil
}
