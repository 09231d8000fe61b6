/** The answers that the page was made of. */

export interface Document {
  schema: string;
  [key: string]: unknown;
}

/** Undoes what viz/page.cpp does: base64, zlib. */
export async function embeddedDocuments(): Promise<Document[]> {
  const text = document.getElementById("documents")!.textContent!.trim();
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text()) as Document[];
}

export function find<T extends Document>(documents: Document[], schema: string): T | undefined {
  return documents.find((document) => document.schema === schema) as T | undefined;
}

export function all<T extends Document>(documents: Document[], schema: string): T[] {
  return documents.filter((document) => document.schema === schema) as T[];
}
