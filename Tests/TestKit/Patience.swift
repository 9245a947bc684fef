// How long tests wait before they call it a hang: longer where everything is slower.
import Foundation

/// What the time limits of tests are multiplied with.
///
/// `WEFT_PATIENCE` says it, a whole number; Deploy/check sets it for the sanitizers.
public enum Patience {
    /// 1 unless the environment says otherwise.
    public static let factor: Int = {
        let text = ProcessInfo.processInfo.environment["WEFT_PATIENCE"]
        return max(1, text.flatMap { Int($0) } ?? 1)
    }()
}
