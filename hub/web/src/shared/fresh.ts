/** Call `refresh` at once and then every `everyMs`, while somebody is looking; one call at a time. It must not throw. */
export async function keepFresh(refresh: () => Promise<void>, everyMs: number): Promise<never> {
  for (;;) {
    if (document.visibilityState === "visible") await refresh();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
