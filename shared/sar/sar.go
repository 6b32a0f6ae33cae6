// Package sar makes images of the raw echoes of a synthetic aperture radar: the chirp scaling algorithm of
// Cumming and Wong, Digital Processing of Synthetic Aperture Radar Data (2005), chapter 7.
//
//	FILE.yaml + echoes ─▶ Params ─▶ EstimateCentroid ─▶ Plan ─▶ Blocks ─▶ Focus ─▶ Image ─▶ Detect
//
// An acquisition is a matrix of complex samples: a line for each pulse (along track, azimuth), a sample for each
// range cell. Its image has the same number of rows and columns. Column c lies at the slant range of closest
// approach R0 = FirstSampleSlantRangeM + c · c0 / (2 · SamplingHz); row r lies at the zero-Doppler time
// (r + RowOffset) / PRFHz after the first line, where RowOffset is 0 without squint (see Plan).
//
// The image is made block by block: a block is a run of lines from which Focus makes a run of rows. Blocks depend
// on nothing but the plan and their own lines, so that any machine may make any of them, in any order, and all
// together are the same bytes.
package sar
