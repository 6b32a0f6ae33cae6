package mosaic

import (
	"math"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

func TestATargetThatABlocksEdgeDividesIsOne(t *testing.T) {
	blocks := []event.RadarBlock{{Index: 0, Rows: 100}, {Index: 1, FirstRow: 100, Rows: 100}, {Index: 2, FirstRow: 200, Rows: 100}}
	part := func(block int, row, col float64, rows, pixels int, db float64, class sar.Class) placedTarget {
		return placedTarget{sar.Target{Row: row, Col: col, PeakRow: int(row), PeakCol: int(col), Rows: rows, Cols: 6, Pixels: pixels, LengthM: 30, ClutterDB: db, Class: class}, block}
	}
	all := joined([]placedTarget{
		part(0, 50, 300, 10, 40, 30, sar.Ship),
		part(0, 96, 300, 8, 30, 40, sar.Ship), // ends at row 100
		part(1, 103, 303, 6, 10, 25, sar.Bright),
		part(1, 103, 400, 6, 10, 25, sar.Ship), // of another column
		part(1, 150, 300, 6, 10, 25, sar.Ship),
		part(2, 210, 300, 4, 10, 25, sar.Ship), // begins eight rows after the edge
	}, blocks)
	if len(all) != 5 {
		t.Fatalf("%d targets: %+v", len(all), all)
	}
	one := all[1]
	if one.block != 0 || one.Pixels != 40 || one.Class != sar.Ship || one.ClutterDB != 40 || one.PeakRow != 96 || one.LengthM != 60 ||
		math.Abs(one.Row-(96*30+103*10)/40.) > 1e-9 || one.Rows != 14 || one.Cols != 9 {
		t.Errorf("%+v", one)
	}
}
