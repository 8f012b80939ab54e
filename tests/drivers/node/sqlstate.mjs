// The SQLSTATE an ORM's error carries, however it wraps the driver's.
export function sqlstate(error) {
  for (let e = error; e; e = e.cause ?? e.driverError ?? e.meta?.driverAdapterError) {
    const code = e.originalCode ?? e.code;
    if (/^[0-9A-Z]{5}$/.test(code ?? '') && !/^P\d{4}$/.test(code)) return code;
  }
  return `none in ${error}`;
}

// What a promise is refused with.
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return sqlstate(error);
  }
  return 'not refused';
}
