package security

import (
	"fmt"
	"io/fs"
	"os"
)

// ReadSecret reads a whole file of at most limit bytes that is closed to others, as private says.
func ReadSecret(path string, limit int64) ([]byte, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	return readBounded(path, limit)
}

// ReadTrusted reads a whole file of at most limit bytes that others may read and may not change.
func ReadTrusted(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.FileMode(0o002) != 0 {
		return nil, fmt.Errorf("%s can be changed by everyone on this machine (mode %04o): chmod o-w it", path, info.Mode().Perm())
	}
	return readBounded(path, limit)
}
