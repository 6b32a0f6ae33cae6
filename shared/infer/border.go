package infer

import "math"

// borders go around each connected part of what is inside, diagonals too, along the sides of its pixels, and not
// around holes. Corners of pixels are the points, clockwise on a picture.
func borders(inside []bool, w, h int) (loops [][]point) {
	is := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && inside[y*w+x] }
	walked := make([]bool, w*h) // upper sides of pixels
	for start := range inside {
		x, y := start%w, start/w
		if !inside[start] || is(x, y-1) || walked[start] {
			continue
		}
		var loop []point
		for dx, dy := 1, 0; dx != 1 || !walked[y*w+x]; { // what is inside lies on the right hand
			if dx == 1 {
				walked[y*w+x] = true
			}
			x, y = x+dx, y+dy
			// The pixels ahead of this corner, on the left and on the right hand.
			left := is(x+(dx+dy-1)/2, y+(dy-dx-1)/2)
			right := is(x+(dx-dy-1)/2, y+(dx+dy-1)/2)
			switch {
			case left:
				loop = append(loop, point{float64(x), float64(y)})
				dx, dy = dy, -dx
			case !right:
				loop = append(loop, point{float64(x), float64(y)})
				dx, dy = -dy, dx
			}
		}
		if area(loop) > 0 {
			loops = append(loops, loop)
		}
	}
	return loops
}

// area is positive of loops that go clockwise on a picture.
func area(loop []point) (twice float64) {
	for i, p := range loop {
		q := loop[(i+1)%len(loop)]
		twice += p.x*q.y - q.x*p.y
	}
	return twice / 2
}

// mostLoop bounds the points that thinned looks at again and again.
const mostLoop = 1 << 13

// thinned is a loop without the points that lie within a distance of the line between those that stay (Douglas
// and Peucker).
func thinned(loop []point, distance float64) []point {
	if len(loop) < 4 {
		return loop
	}
	for len(loop) > mostLoop { // of noise
		for i := range (len(loop) + 1) / 2 {
			loop[i] = loop[2*i]
		}
		loop = loop[:(len(loop)+1)/2]
	}
	// The two ends are the first point and the one furthest from it.
	far, most := 0, -1.0
	for i, p := range loop {
		if d := math.Hypot(p.x-loop[0].x, p.y-loop[0].y); d > most {
			far, most = i, d
		}
	}
	stay := make([]bool, len(loop)+1)
	stay[0], stay[far], stay[len(loop)] = true, true, true
	at := func(i int) point { return loop[i%len(loop)] }
	for open := [][2]int{{0, far}, {far, len(loop)}}; len(open) > 0; {
		from, to := open[len(open)-1][0], open[len(open)-1][1]
		open = open[:len(open)-1]
		a, b := at(from), at(to)
		length := math.Hypot(b.x-a.x, b.y-a.y)
		furthest, off := 0, distance
		for i := from + 1; i < to; i++ {
			p := loop[i]
			d := math.Hypot(p.x-a.x, p.y-a.y)
			if length > 0 {
				d = math.Abs((b.x-a.x)*(p.y-a.y)-(b.y-a.y)*(p.x-a.x)) / length
			}
			if d > off {
				furthest, off = i, d
			}
		}
		if furthest > 0 {
			stay[furthest] = true
			open = append(open, [2]int{from, furthest}, [2]int{furthest, to})
		}
	}
	left := make([]point, 0, 16)
	for i, p := range loop {
		if stay[i] {
			left = append(left, p)
		}
	}
	return left
}
