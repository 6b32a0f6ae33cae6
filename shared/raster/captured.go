package raster

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/airbusgeo/godal"
)

var productTime = []struct {
	name   *regexp.Regexp
	layout string
}{
	{regexp.MustCompile(`(?i)S2[ABCD]_MSIL[12][AC]_(\d{8}T\d{6})`), "20060102T150405"},
	{regexp.MustCompile(`(?i)^T\d{2}[A-Z]{3}_(\d{8}T\d{6})`), "20060102T150405"},
	{regexp.MustCompile(`(?i)^L[COTE]0[4-9]_[A-Z0-9]{4}_\d{6}_(\d{8})`), "20060102"},
	{regexp.MustCompile(`(?i)^m_\d{7}_[ns][ew]_\d{1,2}_[0-9a-z]{1,3}_(\d{8})`), "20060102"},
	{regexp.MustCompile(`(?i)^M[OYC]D09[A-Z0-9]{1,3}\.A(\d{7})\.`), "2006002"},
	{regexp.MustCompile(`(?i)^M[OYC]D09.*_doy(\d{7})(?:\d{6})?_`), "2006002"},
}

// date says when the scene was taken: as it was given, as the metadata or the product's name has it,
// else the file's own time, which is only when it was written.
func (s *Scene) date(o Options, modified time.Time) {
	i := &s.info
	if i.Captured, i.CapturedFrom = o.Time, FromOption; !i.Captured.IsZero() {
		return
	}
	if s.of != nil && !s.of.captured.IsZero() {
		i.Captured, i.CapturedFrom = s.of.captured, FromProduct
		return
	}
	if i.Captured, i.CapturedFrom = capturedInMetadata(s.ds), FromMetadata; !i.Captured.IsZero() {
		return
	}
	if i.Captured, i.CapturedFrom = capturedInName(s.ds.Metadata("PRODUCT_URI")), FromMetadata; !i.Captured.IsZero() {
		return
	}
	if i.Captured, i.CapturedFrom = capturedInName(i.Path), FromName; !i.Captured.IsZero() {
		return
	}
	i.Captured, i.CapturedFrom = modified, FromAssumed
}

// capturedInMetadata is when the scene was taken as its metadata has it; zero if it does not say.
func capturedInMetadata(ds *godal.Dataset) time.Time {
	for _, key := range []string{"ACQUISITIONDATETIME", "DATATAKE_1_DATATAKE_SENSING_START", "PRODUCT_START_TIME", "SENSING_TIME",
		"NC_GLOBAL#time_coverage_start", "time_coverage_start"} {
		if t, err := time.Parse(time.RFC3339, ds.Metadata(key)); err == nil {
			return t.UTC()
		}
	}
	if day := ds.Metadata("DATE_ACQUIRED"); day != "" {
		clock := strings.Trim(ds.Metadata("SCENE_CENTER_TIME"), `"`)
		if t, err := time.Parse(time.RFC3339, day+"T"+clock); err == nil {
			return t.UTC()
		}
		if t, err := time.Parse(time.DateOnly, day); err == nil {
			return t
		}
	}
	if day := ds.Metadata("ACQUISITIONDATETIME", godal.Domain("IMAGERY")); day != "" {
		if t, err := time.Parse("2006-01-02 15:04:05", day); err == nil {
			return t
		}
	}
	return time.Time{}
}

// capturedInName is when the scene was taken as its product's name has it; zero if it does not say.
func capturedInName(path string) time.Time {
	for _, p := range productTime {
		if m := p.name.FindStringSubmatch(filepath.Base(path)); m != nil {
			if t, err := time.Parse(p.layout, m[1]); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
