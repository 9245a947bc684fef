// How long tests wait before they report a hang: longer where everything is slower.
import Foundation

/// The factor for the time limits of tests.
///
/// `WEFT_PATIENCE` sets it, a whole number; Deploy/check sets it for the sanitizers.
public enum Patience {
    /// 1 unless the environment says otherwise.
    public static let factor: Int = {
        let text = ProcessInfo.processInfo.environment["WEFT_PATIENCE"]
        return max(1, text.flatMap { Int($0) } ?? 1)
    }()
}
