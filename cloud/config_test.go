package cloud

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/config"
)

func TestTheSampleConfigurationIsGood(t *testing.T) {
	c := DefaultConfig()
	tellOthers(t, config.Load("../firmware-configs/cloud.yaml", &c, nil))
	if c.Kafka.Replicas != 3 || len(c.Worker.Models) != 3 {
		t.Errorf("%+v", c)
	}
}

func TestThePacksOfTheCloudAreGood(t *testing.T) {
	packs, err := filepath.Glob("../firmware-configs/packs/*/cloud.yaml")
	if err != nil || len(packs) < 2 {
		t.Fatalf("packs: %v %v", packs, err)
	}
	for _, p := range packs {
		c := DefaultConfig()
		tellOthers(t, config.Load(p, &c, nil))
	}
}

func TestEveryMistakeOfACloudIsTold(t *testing.T) {
	c := DefaultConfig()
	err := config.Parse("cloud.yaml", []byte("kafka: {brokers: [here]}\nstore: /objects\nproducts: ''\nmodels: {engine: abacus}\nworker: {batch_items: -1}\nzookeper: {}\n"), &c, nil)
	if err == nil {
		t.Fatal("no mistake was told")
	}
	for _, want := range []string{"cloud.yaml:1: kafka.brokers.0: ", "cloud.yaml:2: store: ", "cloud.yaml:3: products: ", "cloud.yaml:4: models.engine: ", "cloud.yaml:5: worker.batch_items: ", "did you mean zookeeper?"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%s", want, err)
		}
	}
}

// tellOthers tells mistakes other than that certificates and passwords are not on this machine.
func tellOthers(t *testing.T, err error) {
	t.Helper()
	var e *config.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e == nil {
		return
	}
	for _, p := range e.Problems {
		if !strings.Contains(p.Message, "/etc/canvas/") {
			t.Errorf("%s:%d: %s: %s", e.File, p.Line, p.Field, p.Message)
		}
	}
}
