package references

import (
	"time"

	"cloudcanvas/shared/config"
)

// Config bounds the views.
type Config struct {
	QuotaBytes int64         `yaml:"quota_bytes" desc:"bytes of views of the ground in the object store, made of tiles that come and sent to devices with reference.shared; beyond, the oldest go. 0: none are made" range:"0 or 1MiB.."`
	MaxAge     time.Duration `yaml:"max_age" desc:"a view that has not changed for so long goes" range:"1m.."`
	Every      time.Duration `yaml:"every" desc:"how often what workers saw is laid into the views" range:"100ms..1h"`
}

// DefaultConfig makes none; once a quota is set, views are good for three months.
func DefaultConfig() Config { return Config{MaxAge: 90 * 24 * time.Hour, Every: 10 * time.Second} }

// On says whether views are made.
func (c Config) On() bool { return c.QuotaBytes > 0 }

// Problems names every mistake.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
}
