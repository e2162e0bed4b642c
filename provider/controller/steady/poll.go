package steady

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// soon is when a resource is looked at again that is on its way.
const soon = 2 * time.Second

// Poll looks often at what is not ready, and at what is ready once in an interval, give
// or take the jitter. It takes a source of random numbers in [0, 1).
func Poll(j Jitter, random func() float64) managed.PollIntervalHook {
	return func(mg resource.Managed, interval time.Duration) time.Duration {
		if mg.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue {
			return min(soon, interval)
		}
		return j.Spread(interval, random)
	}
}

// Spread an interval, give or take the jitter. It takes a source of random numbers in [0, 1).
func (j Jitter) Spread(interval time.Duration, random func() float64) time.Duration {
	return max(interval+time.Duration((random()-0.5)*2*float64(j.of(interval))), 0)
}

// A Jitter keeps polls from all coming at once. It is a duration such as 5s, or a
// fraction of the interval such as 0.1. The zero value is none.
type Jitter struct {
	fraction float64
	duration time.Duration
}

// UnmarshalText reads a Jitter.
func (j *Jitter) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if f < 0 || f > 1 {
			return fmt.Errorf("cannot use %q as jitter: a fraction is between 0 and 1", s)
		}
		*j = Jitter{fraction: f}
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("cannot use %q as jitter: write a fraction such as 0.1 or a duration such as 5s", s)
	}
	*j = Jitter{duration: d}
	return nil
}

func (j Jitter) of(interval time.Duration) time.Duration {
	if j.fraction > 0 {
		return time.Duration(j.fraction * float64(interval))
	}
	return min(j.duration, interval)
}
