package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// prometheus is asked a query, and its answer is held against the condition.
func (a *Asker) prometheus(ctx context.Context, ro *v1alpha1.Rollout, p *v1alpha1.PrometheusGate) (rollout.Answer, error) {
	condition, err := rollout.CompileMetric(p.Condition)
	if err != nil {
		return rollout.Answer{}, err
	}
	form := url.Values{"query": {p.Query}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.URL, "/")+"/api/v1/query", strings.NewReader(form))
	if err != nil {
		return rollout.Answer{}, errors.New("its url is not valid")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, err := a.do(ctx, ro, req, p.TokenSecretRef)
	if err != nil {
		return rollout.Answer{}, err
	}
	values, err := valuesOf(body)
	if err != nil {
		return rollout.Answer{}, err
	}

	vars := map[string]any{"value": nil, "values": values}
	said := fmt.Sprintf("%d values", len(values))
	if len(values) == 1 {
		vars["value"] = values[0]
		said = strconv.FormatFloat(values[0], 'g', 6, 64)
	}
	yes, err := condition.True(vars)
	if err != nil {
		return rollout.Answer{}, err
	}
	if !yes {
		return rollout.Answer{Message: fmt.Sprintf("%q is false for %s", p.Condition, said)}, nil
	}
	return rollout.Answer{Yes: true, Message: fmt.Sprintf("%q is true for %s", p.Condition, said)}, nil
}

// valuesOf the answer to a query: a scalar, or one or more series. That there is none,
// or that one is no number, is an error: whoever measures nothing knows nothing.
func valuesOf(body []byte) ([]float64, error) {
	answer := struct {
		Status string `json:"status"`
		Data   struct {
			ResultType string          `json:"resultType"`
			Result     json.RawMessage `json:"result"`
		} `json:"data"`
	}{}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("the answer is not that of a Prometheus API")
	}
	if answer.Status != "success" {
		return nil, errors.New("the query failed")
	}
	var samples []sample
	switch answer.Data.ResultType {
	case "scalar":
		var one sample
		if err := json.Unmarshal(answer.Data.Result, &one); err != nil {
			return nil, err
		}
		samples = append(samples, one)
	case "vector":
		var series []struct {
			Value sample `json:"value"`
		}
		if err := json.Unmarshal(answer.Data.Result, &series); err != nil {
			return nil, errors.New("the answer is not that of a Prometheus API")
		}
		for _, s := range series {
			samples = append(samples, s.Value)
		}
	default:
		return nil, fmt.Errorf("the query gives a %s: it must give a scalar or series", readable(answer.Data.ResultType))
	}
	if len(samples) == 0 {
		return nil, errors.New("the query gives nothing")
	}
	out := make([]float64, 0, len(samples))
	for _, s := range samples {
		if math.IsNaN(float64(s)) {
			return nil, errors.New("the query gives a value that is no number")
		}
		out = append(out, float64(s))
	}
	return out, nil
}

// A sample is a time and a value, which is written as a text.
type sample float64

// UnmarshalJSON reads a sample.
func (s *sample) UnmarshalJSON(raw []byte) error {
	var pair []any
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return errors.New("the answer is not that of a Prometheus API")
	}
	text, ok := pair[1].(string)
	if !ok {
		return errors.New("the answer is not that of a Prometheus API")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return errors.New("the query gives a value that is no number")
	}
	*s = sample(f)
	return nil
}
