package raster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bands are named as STAC's common names have it: coastal, blue, green, red, nir, nir08, nir09,
// cirrus, swir16, swir22. A file's own words for them are understood in any case:
//
//   - common names and their usual spellings (NIR, "Near Infrared", SWIR1, swir_2);
//   - band numbers (B02, B2, B8A, SR_B5, sr_band4, "B4, central wavelength 665 nm"), whose meaning
//     depends on the satellite: told from the file's name or metadata (S2A…, LC08…, LE07…), else from
//     which numbers occur together. Where B08 and B8A both occur, B08 is nir and B8A is nir08.
//
// Other descriptions are kept, in lower case. "Band 1", "Band 2" … from an unknown satellite name nothing.

var spellings = map[string]string{
	"blue": "blue", "green": "green", "red": "red", "nir": "nir", "swir16": "swir16", "swir22": "swir22",
	"coastal": "coastal", "coastalaerosol": "coastal", "ultrablue": "coastal",
	"nearinfrared": "nir", "nir1": "nir", "infrared": "nir",
	"nir08": "nir08", "nir8a": "nir08", "narrownir": "nir08", "nirnarrow": "nir08", "nir2": "nir08", "nir09": "nir09",
	"swir1": "swir16", "shortwaveinfrared1": "swir16", "swir160": "swir16",
	"swir2": "swir22", "shortwaveinfrared2": "swir22", "swir220": "swir22",
	"cirrus": "cirrus", "pan": "pan", "panchromatic": "pan", "gray": "gray", "grey": "gray",
}

// satellites give the common name of each band number.
var satellites = map[string]map[string]string{
	"sentinel-2": {"1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "rededge071", "6": "rededge075",
		"7": "rededge078", "8": "nir", "8a": "nir08", "9": "nir09", "10": "cirrus", "11": "swir16", "12": "swir22"},
	"landsat":   landsat8, // 8 or 9: HLS's L30 does not say which
	"landsat-9": landsat8, "landsat-8": landsat8,
	"landsat-7": landsat5, "landsat-5": landsat5, "landsat-4": landsat5,
	"modis": {"1": "red", "2": "nir", "3": "blue", "4": "green", "5": "swir12", "6": "swir16", "7": "swir22"},
}

var (
	landsat8 = map[string]string{"1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir", "6": "swir16", "7": "swir22",
		"8": "pan", "9": "cirrus", "10": "lwir11", "11": "lwir12"}
	landsat5   = map[string]string{"1": "blue", "2": "green", "3": "red", "4": "nir", "5": "swir16", "6": "lwir", "7": "swir22", "8": "pan"}
	landsatMSS = map[string]string{"1": "green", "2": "red", "3": "nir08", "4": "nir"} // the older instrument on Landsat 4 and 5: no blue
)

var (
	bandNumber  = regexp.MustCompile(`(?i)^(?:(?:sr|toa|st)_?)?(b|band)[ _]?(0?)([1-9]|1[0-2])(a?)(?:$|[ ,_(])`)
	modisNumber = regexp.MustCompile(`(?i)(?:^|_)sur_refl_b(0)([1-7])(?:_|$)`)
	insideName  = regexp.MustCompile(`(?i)_(b)(0?)([1-9]|1[0-2])(a?)(?:$|_|\.)`) // LC08_…_SR_B4, T19HGU_…_B04_10m
	satelliteOf = []struct {
		name string
		hint *regexp.Regexp
	}{
		{"sentinel-2", regexp.MustCompile(`(?i)(^|[^a-z0-9])s2[abcd]_|sentinel-?2|hls[._]s30`)},
		{"landsat-9", regexp.MustCompile(`(?i)(^|[^a-z0-9])l[cot]09_|landsat[-_ ]?9`)},
		{"landsat-8", regexp.MustCompile(`(?i)(^|[^a-z0-9])l[cot]08_|landsat[-_ ]?8`)},
		{"landsat-7", regexp.MustCompile(`(?i)(^|[^a-z0-9])le07_|landsat[-_ ]?7`)},
		{"landsat-5", regexp.MustCompile(`(?i)(^|[^a-z0-9])lt05_|landsat[-_ ]?5`)},
		{"landsat-4", regexp.MustCompile(`(?i)(^|[^a-z0-9])lt04_|landsat[-_ ]?4`)},
		{"landsat", regexp.MustCompile(`(?i)hls[._]l30`)},
		{"modis", regexp.MustCompile(`(?i)(^|[^a-z0-9])m[oyc]d09[a-z0-9]{1,3}[._]`)},
	}
)

// CanonicalBand is the common name of a band that is named without a number, or the name in lower case.
func CanonicalBand(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	spelling := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, name)
	if common, ok := spellings[spelling]; ok {
		return common
	}
	return name
}

// nameBands gives a name to each description, "" where it says nothing. hint is what the file's
// name and metadata tell of the satellite.
func nameBands(descriptions []string, hint string) []string {
	names := make([]string, len(descriptions))
	numbers := make([]string, len(descriptions))
	present := map[string]bool{}
	padded, generic := false, true
	modis := 0
	for i, d := range descriptions {
		if m := modisNumber.FindStringSubmatch(d); m != nil {
			numbers[i] = m[2]
			present[m[2]] = true
			modis++
			continue
		}
		m := bandNumber.FindStringSubmatch(strings.TrimSpace(d))
		if m == nil {
			m = insideName.FindStringSubmatch(d)
		}
		if m == nil {
			names[i] = CanonicalBand(d)
			continue
		}
		numbers[i] = m[3] + strings.ToLower(m[4])
		present[numbers[i]] = true
		padded = padded || m[2] == "0"
		generic = generic && strings.EqualFold(m[1], "band") && strings.EqualFold(d[:1], "b")
	}
	satellite := satelliteByHint(hint)
	if modis > 0 {
		satellite = "modis"
	}
	if satellite == "" && !generic {
		satellite = satelliteByNumbers(present, padded)
	}
	for i, n := range numbers {
		if n != "" && satellite != "" {
			names[i] = satellites[satellite][n]
			if names[i] == "nir08" && !present["8"] {
				names[i] = "nir"
			}
		}
	}
	return names
}

func satelliteByHint(hint string) string {
	for _, s := range satelliteOf {
		if s.hint.MatchString(hint) {
			return s.name
		}
	}
	return ""
}

// satelliteByNumbers tells the satellite from the numbers that occur together.
func satelliteByNumbers(has map[string]bool, padded bool) string {
	switch {
	case has["8a"] || has["12"]:
		return "sentinel-2"
	case has["8"] && !has["5"] && !has["6"] && !has["7"]: // the 10 m bands
		return "sentinel-2"
	case has["8"] && padded:
		return "sentinel-2"
	case has["1"] && has["3"] && has["4"] && has["5"] && has["7"] && !has["6"]:
		return "landsat-5"
	}
	return "landsat-8" // also B2, B3, B4 alone, which mean the same on Sentinel-2
}

// BandError says which bands were asked for in vain, and which there are.
type BandError struct{ Missing, Has []string }

func (e *BandError) Error() string {
	return fmt.Sprintf("no band %s: the file has %s; if they are others, name them in the file's order with --bands",
		strings.Join(e.Missing, ", "), strings.Join(e.Has, ", "))
}

// pick gives the places of the wanted bands among has.
func pick(has, want []string) ([]int, error) {
	var places []int
	var missing []string
	for _, w := range want {
		i := slices.Index(has, CanonicalBand(w))
		if i < 0 && CanonicalBand(w) == "nir" {
			i = slices.Index(has, "nir08") // the narrow one serves
		}
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		places = append(places, i)
	}
	if missing != nil {
		return nil, &BandError{Missing: missing, Has: has}
	}
	return places, nil
}
