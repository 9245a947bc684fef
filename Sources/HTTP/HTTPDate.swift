// Dates in headers of HTTP.
internal import CCurl

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`, and its two older forms.
public enum HTTPDate {
    /// Seconds since 1970; nil for anything else, and where libcurl cannot be loaded.
    public static func seconds(_ text: String) -> Int? {
        let seconds = weft_http_date(text)
        return seconds < 0 ? nil : Int(seconds)
    }
}
