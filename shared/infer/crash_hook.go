//go:build crashhook

package infer

// static void crash(void) { *(volatile int *)8 = 1; }
import "C"

import "cloudcanvas/shared/vision"

// Where crashOn is asked: also the third colour of the pixel that it looks for.
const (
	whileDecoding  = 1
	whileInferring = 2
)

// crashOn is a faulty native library, for the tests of what comes after: an image of 61 x 43 pixels
// whose first is (13, 66, stage) raises SIGSEGV in C. Programs for use are built without it.
func crashOn(stage int, im *vision.Image) {
	if im.W == 61 && im.H == 43 && len(im.Pix) > 2 && im.Pix[0] == 13 && im.Pix[1] == 66 && int(im.Pix[2]) == stage {
		C.crash()
	}
}
