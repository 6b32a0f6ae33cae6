package edge

import "cloudcanvas/shared/raster"

// assumptions are the kinds of facts that scenes of one source were read on without anything that says
// so, and of which people were warned. It is used by one goroutine.
type assumptions map[string]bool

// anew says whether people should be warned of what a scene rests on, and remembers it: each kind once for
// a source, for the next scene will lack the same. What is wrong with the scene itself (numbers that are no
// reflectance, images that are missing) is told of each.
func (a assumptions) anew(facts []raster.Fact) (warn bool) {
	for _, f := range facts {
		ofScene := f.What == "implausible" || f.What == "missing"
		warn = warn || ofScene || !a[f.What]
		if a != nil && !ofScene {
			a[f.What] = true
		}
	}
	return warn
}
