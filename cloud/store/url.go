package store

import (
	"net/url"
	"path/filepath"
)

// FolderURL is the address of the store in a folder, whatever its name holds.
func FolderURL(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// FolderProblem says why a file: address does not name the folder that its writer means, "" where it does.
// It would be another folder, without a word.
func FolderProblem(u *url.URL) string {
	switch {
	case u.Fragment != "":
		return "a # ends the folder's name: write it as %23"
	case u.RawQuery != "" && !folderOptions(u.Query()):
		return "a ? ends the folder's name: write it as %3F"
	case u.Host != "" && u.Host != "localhost":
		return "a folder's address has three slashes and the whole path: file:///var/lib/canvas/objects"
	case u.Path == "":
		return "it names no folder: write file:///var/lib/canvas/objects"
	}
	return ""
}

// folderOptions says whether a query holds only what gocloud.dev's fileblob knows.
func folderOptions(q url.Values) bool {
	for name := range q {
		switch name {
		case "create_dir", "dir_file_mode", "base_url", "secret_key_path", "metadata", "no_tmp_dir":
		default:
			return false
		}
	}
	return true
}
