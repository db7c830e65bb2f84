import Wire

/// What is JSON is written, read and written again the same, on one line or on many; what is not is an
/// error with a place.
func fuzzJSON(_ bytes: UnsafeRawBufferPointer) {
  let text = Array(bytes)
  do {
    let value = try JSONParser.parse(text)
    let line = value.line
    // Spaces and escapes can make it longer than what is read.
    if line.utf8.count > JSONLimits.bytes { return }
    let again = try? JSONParser.parse(Array(line.utf8))
    demand(again?.line == line, "written again it reads differently")
    let many = try? JSONParser.parse(Array(value.rendered.utf8))
    demand(many?.line == line, "on many lines it reads differently")
  } catch {
    demand((0...text.count).contains(error.offset) && !error.description.isEmpty)
  }
}
