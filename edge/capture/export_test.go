package capture

// OnePicture is for the tests that stand outside.
var OnePicture = onePicture
