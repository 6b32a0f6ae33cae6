package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sys/unix"

	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable"
)

// EmbedOptions are those of the Kafka broker within the process.
type EmbedOptions struct {
	Port       int               // on 127.0.0.1; 0: a free one
	TLS        *tls.Config       // nil: a plain listener
	Users      map[string]string // user → password, for SASL PLAIN and SCRAM; nil: everyone
	Partitions int               // of topics made without a number; default 4
	Log        *slog.Logger
	Disk       *disk.Watch // under its folder; nil: why a write fails is not kept
}

// Embedded is one Kafka broker within the process, for a single machine: franz-go's kfake. It
// is for trying things out and for single boxes, not for production. Each batch is on disk (fsync)
// before it is acknowledged; in memory it keeps some 80 bytes for each batch, not the records.
type Embedded struct {
	cluster *kfake.Cluster
	lock    *os.File
	brokers []string
}

// ErrInUse says that another process has the data folder.
var ErrInUse = errors.New("the folder is in use by another process")

// Embed starts the broker with its data in dir, which is made if it is not there.
func Embed(dir string, o EmbedOptions) (*Embedded, error) {
	fail := func(err error) error { return fmt.Errorf("starting the embedded Kafka broker in %s: %w", dir, err) }
	if dir == "" {
		return nil, fail(errors.New("it needs a folder for its data"))
	}
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, fail(err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fail(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	options := []kfake.Opt{
		kfake.Ports(o.Port),
		kfake.DataDir(filepath.Join(dir, "log")),
		kfake.SyncWrites(),
		kfake.ClusterID("cloudcanvas-embedded"),
		kfake.DefaultNumPartitions(o.Partitions),
		kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1", "message.max.bytes": strconv.Itoa(defaultMaxBytes + 48_588)}),
		kfake.WithLogger(kfakeLog{o.Log.With("broker", "embedded kafka"), o.Disk}),
	}
	if o.TLS != nil {
		options = append(options, kfake.TLS(o.TLS))
	}
	if len(o.Users) > 0 {
		options = append(options, kfake.EnableSASL())
		for user, password := range o.Users {
			for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
				options = append(options, kfake.Superuser(mechanism, user, password))
			}
		}
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		lock.Close()
		return nil, fail(err)
	}
	return &Embedded{cluster: cluster, lock: lock, brokers: cluster.ListenAddrs()}, nil
}

// Brokers is where clients find it.
func (e *Embedded) Brokers() []string { return append([]string(nil), e.brokers...) }

// Close stops it.
func (e *Embedded) Close() error {
	e.cluster.Close()
	return e.lock.Close()
}

// lockDir keeps two brokers from writing to one folder. The lock ends with the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: stop it, or name another folder", ErrInUse)
		}
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	return f, nil
}

// kfakeLog passes on kfake's errors and, for those who look for them, its warnings. What it warns of
// writes while the disk takes none is the disk's state, which is logged once.
type kfakeLog struct {
	log  *slog.Logger
	disk *disk.Watch
}

func (l kfakeLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelInfo
	case kfake.LogLevelInfo, kfake.LogLevelDebug, kfake.LogLevelNone:
		return
	}
	if strings.HasPrefix(format, "persist ") && l.disk.Blames(fmt.Errorf(format, args...)) {
		return
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, fmt.Sprintf(format, args...))
	}
}
