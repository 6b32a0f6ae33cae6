package cloud

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/disk"
)

// NewDisks are the disks of a process, with a metric of whether they take writes. Those of several
// parts of one process may share a registry.
func NewDisks(log *slog.Logger, metrics prometheus.Registerer) (*disk.Set, error) {
	refuse := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "canvas_cloud_disk_refuses_writes", Help: "1 while the disk of that folder is full, closed to writers or failing.",
	}, []string{"folder"})
	if metrics != nil {
		var there prometheus.AlreadyRegisteredError
		if err := metrics.Register(refuse); errors.As(err, &there) {
			refuse = there.ExistingCollector.(*prometheus.GaugeVec)
		} else if err != nil {
			return nil, fmt.Errorf("registering the metric of disks: %w", err)
		}
	}
	return disk.NewSet(log, func(dir string, why error) {
		if why != nil {
			refuse.WithLabelValues(dir).Set(1)
		} else {
			refuse.WithLabelValues(dir).Set(0)
		}
	}), nil
}

// watch is the state of the disk that a folder lies on; nil of no folder.
func (c *Cloud) watch(dir string) *disk.Watch {
	if dir == "" || c.Disks == nil {
		return nil
	}
	return c.Disks.Of(dir)
}

// objects are the store as the cloud's parts use it, for objects up to so many bytes.
func (c *Cloud) objects(limit int64) store.Objects {
	return store.Objects{Store: c.Store, Limit: limit, Disk: c.watch(c.Store.Folder())}
}

// Healthy says why the process can't keep what it makes, or nil.
func (c *Cloud) Healthy() error { return c.Disks.Err() }

// mosaicDisks are those of the products and of the working files.
func (c *Cloud) mosaicDisks(products string) (disk.Any, error) {
	work := c.Config.Mosaic.WorkDir
	if work == "" {
		work = os.TempDir()
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, fmt.Errorf("making the working folder: %w; choose another mosaic.work_dir", err)
	}
	return disk.Any{c.watch(products), c.watch(work)}, nil
}
