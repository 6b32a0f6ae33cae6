package main

import (
	"math"
	"strconv"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/raster"
)

// sceneFlags are what a person may say of scenes. It goes before what the files say.
func sceneFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the file's order, which go before the file's own: blue,green,red,nir,swir16,swir22"},
		&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance: goes before what a file says or seems to say"},
		&urfave.StringFlag{Name: "reflectance-offset", Usage: "added after the scale; -0.1 for Sentinel-2 since 2022, 0 where that is taken off already"},
		&urfave.StringFlag{Name: "nodata", Usage: "the `NUMBER` of pixels without data"},
		&urfave.StringFlag{Name: "sensor", Usage: "sentinel-2, landsat-8 …, where the file does not say"},
		&urfave.StringFlag{Name: "level", Usage: "processing level: 1C, 2A, L1, L2, where the file does not say"},
		&urfave.TimestampFlag{Name: "time", Layout: time.RFC3339, Usage: "when the scenes were taken, such as 2024-05-20T10:00:00Z, where the file does not say"},
	}
}

// sceneOptions reads the flags.
func sceneOptions(c *urfave.Context) (o raster.Options, err error) {
	o = raster.Options{Bands: splitBands(c.String("bands")), ReflectanceScale: c.Float64("reflectance-scale"), Sensor: c.String("sensor"), Level: c.String("level")}
	if t := c.Timestamp("time"); t != nil {
		o.Time = *t
	}
	for name, to := range map[string]**float64{"reflectance-offset": &o.ReflectanceOffset, "nodata": &o.NoData} {
		text := c.String(name)
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) {
			return o, cli.Usagef("--%s: %q is no number", name, text)
		}
		*to = &v
	}
	return o, nil
}
