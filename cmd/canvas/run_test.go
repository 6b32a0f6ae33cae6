package main

import (
	"strings"
	"testing"

	"cloudcanvas/shared/config"
)

func TestTheSampleOfAnApplianceLoads(t *testing.T) {
	c := defaultAppliance()
	if err := config.Load("../../firmware-configs/canvas.yaml", &c, nil); err != nil {
		t.Fatal(err)
	}
	if c.Device.Edge != "yard-1" || c.Cloud.Console.Listen != "127.0.0.1:8480" || len(c.Device.Cameras) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestAnAppliancesMistakesAreNamedAtOnce(t *testing.T) {
	c := defaultAppliance()
	err := config.Parse("canvas.yaml", []byte("data: ''\ndevice: {cloud: {url: tcp://elsewhere:1883}, edge: 'no name'}\ncloud: {console: {listen: 0.0.0.0:80}}\n"), &c, nil)
	if err == nil {
		t.Fatal("it loads")
	}
	for _, want := range []string{"data: ", "device.cloud.url: ", "device.edge: ", "cloud.console.cert: ", "cloud.console.tokens_file: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named: %v", want, err)
		}
	}
}
