package vision

// Bounds of the colours that a cloud has. On 17 labelled Landsat 8 and Sentinel-2 scenes hardly a
// pixel of cloud lies beyond them (docs/benchmarks.md).
const (
	overBlue, overRed = 1.05, 1.1 // green that stands out above both: shallow and green water
	leastRedToGreen   = 0.55      // red swallowed: deep, blue and turquoise water
	leastBlueToRed    = 0.7       // blue swallowed: brown water, bare soil
)

// WaterColoured says that a pixel's colour is one of water and not of cloud, however bright it is: what
// shows through a cloud is whitened by it, while water swallows red first, and what is stirred up in
// it blue. Sun glint is white, and no colour tells it from cloud.
func WaterColoured(blue, green, red float32) bool {
	return green > overBlue*blue && green > overRed*red || red < leastRedToGreen*green || blue < leastBlueToRed*red
}
