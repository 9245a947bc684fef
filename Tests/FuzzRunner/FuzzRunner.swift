// The entry of libFuzzer: one program for all targets; the environment selects one. Built only by
// Deploy/fuzz. The targets are in Tests/FuzzKit.
import FuzzKit
import Glibc

private let target: FuzzTarget = {
    let name = getenv("WEFT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        stop("WEFT_FUZZ_TARGET has to be one of: \(names)")
    }
    return target
}()

/// Tries one input; the name is the one that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run(Array(UnsafeBufferPointer(start: data, count: count)))
    } catch {
        stop("\(target.rawValue): \(error)")
    }
    return 0
}

/// Prints the reason and ends in the way that the fuzzer counts as a finding.
private func stop(_ reason: String) -> Never {
    let text = Array("\n== \(reason)\n".utf8)
    write(2, text, text.count)
    abort()
}
