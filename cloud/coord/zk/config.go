package zk

import (
	"fmt"
	"net"
	"strings"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/security"
)

// Config says where ZooKeeper is and how to be known there.
type Config struct {
	Servers        []string          `yaml:"servers" desc:"host:port of each server"`
	Root           string            `yaml:"root" desc:"the path that everything lies under"`
	SessionTimeout time.Duration     `yaml:"session_timeout" desc:"how long a dead process holds what it owned; the server bounds it" range:"0 or 1s..2m"`
	Security       security.Security `yaml:"security" desc:"TLS; user and password_file are for digest authentication"`
}

// DefaultConfig is a server on this machine.
func DefaultConfig() Config {
	return Config{Servers: []string{"127.0.0.1:2181"}, Root: "/canvas", SessionTimeout: 10 * time.Second}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if len(c.Servers) == 0 {
		c.Servers = d.Servers
	}
	if c.Root == "" {
		c.Root = d.Root
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = d.SessionTimeout
	}
	return c
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	for n, server := range c.Servers {
		if host, port, err := net.SplitHostPort(server); err != nil || host == "" || port == "" {
			add(fmt.Sprintf("servers.%d", n), fmt.Sprintf("%q is not host:port", server), "write it as zookeeper-1:2181")
		}
	}
	if c.Root != "" && (!strings.HasPrefix(c.Root, "/") || coord.CheckPath(strings.TrimPrefix(c.Root, "/")) != nil) {
		add("root", fmt.Sprintf("%q is not a path", c.Root), "write it as /canvas")
	}
	config.Limits(c, DefaultConfig(), add)
	c.Security.Problems(func(field, message, hint string) { add("security."+field, message, hint) })
	if c.Security.User != "" && c.Security.PasswordFile == "" {
		add("security.user", "a user without a password", "set security.password_file as well")
	}
}
