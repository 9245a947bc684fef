// Lists whose entries can be removed at once from any position, and due times.

import Core
import TestKit
import Testing

@testable import CoordinatorCore

@Suite("Orders of arrival and due times")
struct ArrivalOrderTests {
    @Test(
        "An order of arrival keeps the order when entries are removed",
        arguments: [3, 12, 500]
    )
    func order(count: Int) {
        var arrivals = ArrivalOrder<ConnectionID>()
        var expected: [Int] = []
        for number in 1...count {
            arrivals.append(ConnectionID(number))
            expected.append(number)
            guard number % 3 == 0 else { continue }
            arrivals.remove(ConnectionID(number - 1))
            expected.removeAll { $0 == number - 1 }
        }
        arrivals.append(ConnectionID(1))
        expected.removeAll { $0 == 1 }
        expected.append(1)
        arrivals.remove(ConnectionID(count + 7))
        #expect(arrivals.map(\.number) == expected)
        #expect(arrivals.newestFirst.map(\.number) == expected.reversed())
        #expect(arrivals.count == expected.count)
        for number in 1...count {
            #expect(arrivals.contains(ConnectionID(number)) == expected.contains(number))
        }
        for number in expected { arrivals.remove(ConnectionID(number)) }
        #expect(arrivals.isEmpty)
        #expect(arrivals.map(\.number) == [])
    }

    @Test("Due entries come in the order of their times, then of their addition")
    func dueTimes() {
        var times = DueTimes<Int>()
        for number in 0..<200 { times.set(number, at: Instant(milliseconds: Int64(number % 10))) }
        for number in 0..<200 where number % 2 == 0 { times.remove(number) }
        times.set(1, at: Instant(milliseconds: 100))
        #expect(times.count == 100)
        #expect(times.next == Instant(milliseconds: 1))
        var due: [Int] = []
        while let number = times.popDue(until: Instant(milliseconds: 50)) { due.append(number) }
        let expected = (0..<200).filter { $0 % 2 == 1 && $0 != 1 }.sorted {
            ($0 % 10, $0) < ($1 % 10, $1)
        }
        #expect(due == expected)
        #expect(times.first == 1)
        #expect(times.popDue(until: .zero) == nil)
    }
}
