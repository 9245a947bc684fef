// Histograms: which durations are counted where, and what is said of many of them.
import Metrics
import Testing

@Suite("Histograms")
struct HistogramTests {
    @Test(
        "A duration at a boundary counts up to it, a longer one does not",
        arguments: [6, 10, 20, 32]
    )
    func boundary(exponent: Int) {
        var histogram = Histogram()
        histogram.observe(microseconds: 1 << exponent)
        #expect(histogram.count(upTo: exponent) == 1)
        histogram.observe(microseconds: 1 << exponent + 1)
        #expect(histogram.count(upTo: exponent) == 1)
        #expect(histogram.count == 2)
    }

    @Test("Any duration is counted once, in a bucket that contains it")
    func everywhere() {
        var microseconds = 0
        while microseconds < 1 << 34 {
            var histogram = Histogram()
            histogram.observe(microseconds: microseconds)
            for exponent in Histogram.boundaries {
                let isWithin = microseconds <= 1 << exponent
                #expect(histogram.count(upTo: exponent) == (isWithin ? 1 : 0), "\(microseconds)")
            }
            if microseconds > 16, microseconds < 1 << 32, let median = histogram.quantile(0.5) {
                #expect(abs(median - microseconds) * 4 <= microseconds, "\(microseconds)")
            }
            microseconds += microseconds / 5 + 1
        }
    }

    @Test("Negative and very long durations do no harm")
    func extremes() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        histogram.observe(microseconds: -5)
        #expect(histogram.quantile(0.5) == 16)
        histogram.observe(microseconds: .max)
        histogram.observe(microseconds: .max)
        #expect(histogram.count == 3)
        #expect(histogram.count(upTo: 32) == 1)
        #expect(histogram.quantile(0.95) == 1 << 32)
    }

    @Test("Quantiles of many durations are right within an eighth")
    func quantiles() throws {
        var histogram = Histogram()
        for value in 1...10_000 { histogram.observe(microseconds: value * 10) }
        for (share, exact) in [(0.5, 50_000), (0.95, 95_000), (0.01, 1_000)] {
            let found = try #require(histogram.quantile(share))
            #expect(abs(found - exact) * 8 <= exact, "\(share): \(found)")
        }
        var both = Histogram()
        both.add(histogram)
        both.add(histogram)
        #expect(both.count == 20_000)
        #expect(both.sum == 2 * histogram.sum)
        #expect(both.quantile(0.5) == histogram.quantile(0.5))
    }
}
